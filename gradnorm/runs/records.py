"""What a run leaves behind: plain numbers, no torch. Rows of float32 are their form on disk and on the wire."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self, cast

import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.float32]

OutcomeKind = Literal["finished", "stopped", "diverged", "failed", "interrupted"]
State = Literal["queued", "running", "paused", "finished", "stopped", "diverged", "failed", "interrupted"]
ENDED: frozenset[str] = frozenset({"finished", "stopped", "diverged", "failed", "interrupted"})

# The vectors of length T in a row, in their order; a row is step, alpha, imbalance and then these.
SCALARS = ("step", "alpha", "imbalance")
VECTORS = ("weights", "gradient_norms", "targets", "losses", "loss_ratios", "relative_rates")


def columns(tasks: int) -> list[str]:
    """Return the names of a row's numbers: step, alpha, imbalance, weights.0 … relative_rates.T−1."""
    return [*SCALARS, *(f"{vector}.{i}" for vector in VECTORS for i in range(tasks))]


def width(tasks: int) -> int:
    """Return how many numbers a row has."""
    return len(SCALARS) + len(VECTORS) * tasks


@dataclass(frozen=True)
class StepRecord:
    """One training step; vectors have length T, None where nothing was measured.

    step: t, from 1.  weights: w(t), used in this step.  alpha: the asymmetry used in this step.
    gradient_norms: G_i(t).  targets: Ḡ·r_i^α.  imbalance: L_grad.  See `gradnorm.methods.base.Balance`.
    """

    step: int
    losses: tuple[float, ...]
    weights: tuple[float, ...]
    loss_ratios: tuple[float, ...]
    relative_rates: tuple[float, ...]
    gradient_norms: tuple[float, ...] | None = None
    targets: tuple[float, ...] | None = None
    imbalance: float | None = None
    alpha: float | None = None

    def row(self) -> list[float]:
        """Return the numbers in the order of `columns`; NaN for what is None. Steps ≤ 2²⁴ are exact."""
        nothing = (math.nan,) * len(self.losses)
        return [
            float(self.step),
            math.nan if self.alpha is None else self.alpha,
            math.nan if self.imbalance is None else self.imbalance,
            *self.weights,
            *(self.gradient_norms or nothing),
            *(self.targets or nothing),
            *self.losses,
            *self.loss_ratios,
            *self.relative_rates,
        ]


@dataclass(frozen=True)
class Evaluation:
    """The network after `step` steps, on the fixed test set; vectors have length T.

    loss_ratios: L_i(t)/L_i(0) of test losses; task_normalized_loss: their sum.
    metrics: for each task {"r2": …} or {"accuracy": …}.
    constant_losses: what the best constant answer would lose; empty where that is not known.
    """

    step: int
    losses: tuple[float, ...]
    loss_ratios: tuple[float, ...]
    task_normalized_loss: float
    metrics: tuple[Mapping[str, float], ...]
    constant_losses: tuple[float, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {**asdict(self), "metrics": [dict(m) for m in self.metrics]}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Self:
        """Return what `to_dict` gave."""
        return cls(
            step=given["step"],
            losses=tuple(given["losses"]),
            loss_ratios=tuple(given["loss_ratios"]),
            task_normalized_loss=given["task_normalized_loss"],
            metrics=tuple(given["metrics"]),
            constant_losses=tuple(given.get("constant_losses", ())),
        )


@dataclass(frozen=True)
class Outcome:
    """How a run ended, in a word and in a sentence.

    task, value: of the loss that was not finite, for "diverged".  step: the last step taken.
    """

    kind: OutcomeKind
    step: int
    message: str = ""
    task: str | None = None
    value: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types: NaN and infinity as text."""
        value = self.value if self.value is None or math.isfinite(self.value) else str(self.value)
        return {**asdict(self), "value": value}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Self:
        """Return what `to_dict` gave."""
        value = given.get("value")
        return cls(
            kind=given["kind"],
            step=given["step"],
            message=given.get("message", ""),
            task=given.get("task"),
            value=None if value is None else float(value),
        )


@dataclass(frozen=True)
class Checkpoint:
    """The whole state of a run after `step` steps, as bytes that only the engine reads."""

    step: int
    payload: bytes = field(repr=False)


@dataclass(frozen=True)
class Event:
    """A live change of a run: a hyperparameter that was moved, a task that was held, a pause.

    step: t, the first step that used the new value.  key: the option's name, such as "alpha", or "paused".
    value: what it became, as plain JSON types.  when: seconds since 1970.
    """

    step: int
    key: str
    value: Any
    when: float


Record = StepRecord | Evaluation | Checkpoint | Event | Outcome


@dataclass(frozen=True)
class RunInfo:
    """A line of the catalogue: what a run is, and where it stands now.

    spec: the flat spec.  steps: the last acknowledged step.  place: 1 for the next in the queue.
    created: seconds since 1970.  seconds: spent training, without pauses.
    here: whether this very process runs it, and so can steer it.
    race: what the runs of one race have in common; None for a run on its own.
    parent: the run that it was forked from, after `forked_at` steps; its own records begin there.
    """

    run: str
    title: str
    spec: Mapping[str, Any]
    tasks: tuple[str, ...]
    state: State
    steps: int
    created: float
    seconds: float = 0.0
    device: str | None = None
    outcome: Outcome | None = None
    place: int | None = None
    here: bool = False
    race: str | None = None
    parent: str | None = None
    forked_at: int = 0

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state in ENDED

    @property
    def recorded(self) -> bool:
        """Whether a training loop of somebody's own has logged it: it cannot be trained again."""
        return "recorded" in self.spec

    @property
    def total(self) -> int | None:
        """How many steps there are to be; None if that is not known, of a recorded run."""
        steps = self.spec.get("steps")
        return None if steps is None and not self.ended else max(steps or 0, self.steps)


def _no_evaluations() -> tuple[Evaluation, ...]:
    return ()


@dataclass(frozen=True)
class Snapshot:
    """A run's records after a cursor: rows of shape [n, width(T)] and the evaluations since."""

    info: RunInfo
    rows: Row
    evaluations: Sequence[Evaluation] = field(default_factory=_no_evaluations)

    @property
    def columns(self) -> list[str]:
        """The names of the rows' numbers."""
        return columns(len(self.info.tasks))

    def vector(self, name: str) -> Row:
        """Return one of `VECTORS` for all steps, shape [n, T]."""
        tasks = len(self.info.tasks)
        start = len(SCALARS) + VECTORS.index(name) * tasks
        return self.rows[:, start : start + tasks]

    def scalar(self, name: str) -> Row:
        """Return one of `SCALARS` for all steps, shape [n]."""
        return self.rows[:, SCALARS.index(name)]


def json_safe(value: Any) -> Any:
    """Return `value` with NaN and infinity as None at any depth: JSON has neither."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): json_safe(v) for k, v in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [json_safe(v) for v in cast("Sequence[Any]", value)]
    return value
