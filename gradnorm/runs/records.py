"""What a run leaves behind: plain numbers, no torch. Rows of float32 are their form on disk and on the wire."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from operator import attrgetter
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from gradnorm.common.texts import kept, recalled
from gradnorm.runs.damage import Damage
from gradnorm.runs.labels import NO_LABELS, Labels
from gradnorm.runs.plain import short

Rows = NDArray[np.float32]

OutcomeKind = Literal["finished", "stopped", "diverged", "failed", "interrupted"]
RunState = Literal["queued", "running", "paused", "finished", "stopped", "diverged", "failed", "interrupted"]
ENDED: frozenset[str] = frozenset({"finished", "stopped", "diverged", "failed", "interrupted"})

Shape = Literal["scalar", "task"]


class Quantity(NamedTuple):
    """A recorded quantity: a number a step ("scalar"), or one for each of the T tasks ("task")."""

    name: str
    shape: Shape


def _recorded(shape: Shape) -> dict[str, Shape]:
    return {"shape": shape}


@dataclass(frozen=True, kw_only=True)
class StepRecord:
    """One training step; vectors have length T, None where nothing was measured.

    Each field is a quantity that runs record, in the order of its columns. A new quantity is one line here, with None
    as its default: runs written before it keep their own columns, and read as NaN.

    step: t, from 1.  weights: w(t), used in this step.  alpha: the asymmetry α used in this step.
    gradient_norms: G_i(t).  targets: Ḡ·r_i^α.  imbalance: L_grad.  See `gradnorm.methods.base.Balance`.
    """

    step: int = field(metadata=_recorded("scalar"))
    alpha: float | None = field(default=None, metadata=_recorded("scalar"))
    imbalance: float | None = field(default=None, metadata=_recorded("scalar"))
    weights: tuple[float, ...] = field(metadata=_recorded("task"))
    gradient_norms: tuple[float, ...] | None = field(default=None, metadata=_recorded("task"))
    targets: tuple[float, ...] | None = field(default=None, metadata=_recorded("task"))
    losses: tuple[float, ...] = field(metadata=_recorded("task"))
    loss_ratios: tuple[float, ...] = field(metadata=_recorded("task"))
    relative_rates: tuple[float, ...] = field(metadata=_recorded("task"))

    def row(self, quantities: Sequence[Quantity] | None = None) -> list[float]:
        """Return the numbers in the order of `columns`; NaN for what is None. Steps ≤ 2²⁴ are exact.

        quantities: those of the run that the row is for; None takes `QUANTITIES`. One that this build does not know is
        NaN, and one that the run does not record is left out.
        """
        numbers: list[float] = []
        # This is done at every step of every run, so each field is read and placed in as few operations as there are.
        read, shapes = _reading(QUANTITIES if quantities is None else tuple(quantities))
        for value, shape in zip(read(self), shapes, strict=True):
            if shape == "task":
                numbers += (math.nan,) * len(self.losses) if value is None else value
            else:
                numbers.append(math.nan if value is None else value)
        return numbers


@lru_cache(maxsize=64)
def _reading(quantities: tuple[Quantity, ...]) -> tuple[Callable[[StepRecord], Sequence[Any]], tuple[Shape, ...]]:
    """Return what takes the values of quantities from a record, None for those it does not have, and their shapes."""
    shapes: tuple[Shape, ...] = tuple([quantity.shape for quantity in quantities])
    names = [quantity.name for quantity in quantities]
    if all(name in _RECORDED for name in names) and len(names) > 1:
        return attrgetter(*names), shapes
    return lambda record: [getattr(record, name) if name in _RECORDED else None for name in names], shapes


# What a new run records: the fields of `StepRecord`, in their order.
QUANTITIES = tuple(Quantity(each.name, each.metadata["shape"]) for each in fields(StepRecord))
SCALARS = tuple(quantity.name for quantity in QUANTITIES if quantity.shape == "scalar")
VECTORS = tuple(quantity.name for quantity in QUANTITIES if quantity.shape == "task")
_RECORDED = frozenset((*SCALARS, *VECTORS))


def columns(tasks: int | Sequence[str], quantities: Sequence[Quantity] = QUANTITIES, separator: str = ".") -> list[str]:
    """Return the names of a row's numbers: step, alpha, imbalance, weights.0 … relative_rates.T−1.

    tasks: T, or T names to take the place of 0 … T−1, as in weights.price.
    """
    labels = range(tasks) if isinstance(tasks, int) else tasks
    names: list[str] = []
    for name, shape in quantities:
        names += [name] if shape == "scalar" else [f"{name}{separator}{label}" for label in labels]
    return names


def width(tasks: int, quantities: Sequence[Quantity] = QUANTITIES) -> int:
    """Return how many numbers a row of T tasks has."""
    return sum(1 if quantity.shape == "scalar" else tasks for quantity in quantities)


@dataclass(frozen=True)
class Evaluation:
    """The network after `step` steps, on the fixed test set; vectors have length T.

    loss_ratios: L_i(t)/L_i(0) of test losses; task_normalized_loss: their sum.
    metrics: for each task {"r2": …} or {"accuracy": …}.
    constant_losses: what the best constant answer would lose; empty where that is not known.
    constant_metrics: the metrics of that answer, for each task as `metrics`; empty where they are not known.
    """

    step: int
    losses: tuple[float, ...]
    loss_ratios: tuple[float, ...]
    task_normalized_loss: float
    metrics: tuple[Mapping[str, float], ...]
    constant_losses: tuple[float, ...] = ()
    constant_metrics: tuple[Mapping[str, float], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        metrics = {name: [dict(m) for m in getattr(self, name)] for name in ("metrics", "constant_metrics")}
        return {**asdict(self), **metrics}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Return what `to_dict` gave."""
        return cls(
            step=plain["step"],
            losses=tuple(plain["losses"]),
            loss_ratios=tuple(plain["loss_ratios"]),
            task_normalized_loss=plain["task_normalized_loss"],
            metrics=tuple(plain["metrics"]),
            constant_losses=tuple(plain.get("constant_losses", ())),
            constant_metrics=tuple(plain.get("constant_metrics", ())),
        )


@dataclass(frozen=True)
class Outcome:
    """How a run ended, in a word and in a sentence.

    task, value: of the loss that was not finite, for "diverged".  step: the last step taken.
    message: a `Text`, which pages can translate, or words of somebody's own.
    """

    kind: OutcomeKind
    step: int
    message: str = ""
    task: str | None = None
    value: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types: NaN and infinity as text, and beside the message what it was filled from."""
        value = self.value if self.value is None or math.isfinite(self.value) else str(self.value)
        filled_from = {"filled_from": told} if (told := kept(self.message)) else {}
        return {**asdict(self), "value": value, **filled_from}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Return what `to_dict` gave."""
        value = None if plain.get("value") is None else float(plain["value"])
        message = recalled(plain.get("message", ""), plain.get("filled_from"))
        return cls(plain["kind"], plain["step"], message, plain.get("task"), value)


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

    @property
    def label(self) -> str:
        """What a chart writes beside its mark: "α 0.7", "paused", "weight learning rate 0.02"."""
        words = {"paused": ("resumed", "paused"), "checkpoint": ("no checkpoint", "checkpoint")}
        if self.key in words:
            return words[self.key][bool(self.value)]
        return f"{'α' if self.key == 'alpha' else self.key.replace('_', ' ')} {short(self.value)}"


Record = StepRecord | Evaluation | Checkpoint | Event | Outcome


@dataclass(frozen=True)
class RunInfo:
    """A line of the catalogue: what a run is, and where it stands now.

    spec: the flat spec.  steps: the last acknowledged step.  place: 1 for the next in the queue.
    created: seconds since 1970.  seconds: spent training, without pauses.
    here: whether this very process runs it, and so can steer it.
    race: what the runs of one race have in common; None for a run on its own.
    parent: the run that it was forked from, after `forked_at` steps; its own records begin there.
    quantities: what its rows hold, as the build that began it knew them; its rows are read by these.
    keeps_events: whether its live changes were kept from its first step on; builds before schema 3 kept none.
    labels: what users say of it.
    """

    run: str
    title: str
    spec: Mapping[str, Any]
    tasks: tuple[str, ...]
    state: RunState
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
    quantities: tuple[Quantity, ...] = QUANTITIES
    keeps_events: bool = True
    labels: Labels = NO_LABELS

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
        """How many steps there are to be; None if that is not known, of a recorded run.

        A run that has finished needed no more than it took: one with patience may end early.
        """
        if self.state == "finished":
            return self.steps
        steps = self.spec.get("steps")
        return None if steps is None and not self.ended else max(steps or 0, self.steps)


@dataclass(frozen=True)
class Snapshot:
    """A run's records after a cursor: rows of shape [n, width(T)], evaluations and events; `damage` is left out."""

    info: RunInfo
    rows: Rows
    evaluations: Sequence[Evaluation] = ()
    events: Sequence[Event] = ()
    damage: Sequence[Damage] = ()

    @property
    def columns(self) -> list[str]:
        """The names of the rows' numbers."""
        return columns(len(self.info.tasks), self.info.quantities)

    def vector(self, name: str) -> Rows:
        """Return a quantity with a number for each task at all steps, shape [n, T]; NaN if the run records none.

        Raises ValueError for a name that neither the run nor this build knows.
        """
        return self._quantity(Quantity(name, "task"))

    def scalar(self, name: str) -> Rows:
        """Return a quantity with one number a step, shape [n]; NaN if the run records none. Raises ValueError."""
        return self._quantity(Quantity(name, "scalar"))[:, 0]

    def _quantity(self, wanted: Quantity) -> Rows:
        tasks, start, size = len(self.info.tasks), 0, width(len(self.info.tasks), [wanted])
        for quantity in self.info.quantities:
            if quantity == wanted:
                return self.rows[:, start : start + size]
            start += width(tasks, [quantity])
        if wanted not in QUANTITIES:
            recorded = [name for name, shape in self.info.quantities if shape == wanted.shape]
            raise ValueError(f"A {wanted.shape} quantity should be one of {recorded}. Found {wanted.name!r}.")
        return np.full((len(self.rows), size), np.nan, np.float32)
