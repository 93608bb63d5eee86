"""What a study is: which runs it wants, given those that have ended, and what they say together.

A study is a value. It holds no runs and no state, so one that was interrupted goes on by being asked again.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from gradnorm.common.declarations import fault, numbers
from gradnorm.config.spec import RunSpec, SpecError, changed

MOST_RUNS = 1000


@dataclass(frozen=True)
class Member:
    """A run that a study wants. key: what it is in the study, as "α 0.5, seed 1"; no other member has it."""

    key: str
    spec: RunSpec


@dataclass(frozen=True)
class Result:
    """What a member's run came to.

    outcome: how it ended, as "finished".  step: of the evaluation that counts.
    loss: the task-normalised test loss Σ_i L_i/L_i(0); NaN where the run diverged, failed or has no evaluation.
    losses, metrics: of each task, then; empty where `loss` is NaN.
    weights, late_weights: E_t[w_i(t)] over all steps, and over the last half of them; empty without steps.
    """

    outcome: str
    step: int = 0
    loss: float = math.nan
    losses: tuple[float, ...] = ()
    metrics: tuple[Mapping[str, float], ...] = ()
    weights: tuple[float, ...] = ()
    late_weights: tuple[float, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether there is a loss to compare."""
        return math.isfinite(self.loss)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; a loss of NaN is None."""
        return {**asdict(self), "loss": self.loss if self.usable else None}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Return what `to_dict` gave."""
        lists = {name: tuple(plain[name]) for name in ("losses", "metrics", "weights", "late_weights")}
        loss = math.nan if plain["loss"] is None else plain["loss"]
        return cls(outcome=plain["outcome"], step=plain["step"], loss=loss, **lists)


Results = Mapping[str, Result]


class Study(BaseModel, ABC):
    """A question, and the runs that answer it. Subclasses declare what can be varied.

    base: the flat spec that all runs share, but for what the study changes.
    seeds: of networks and batches, each a whole number ≥ 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]

    base: Mapping[str, Any]
    seeds: tuple[int, ...] = Field(default=(1, 2, 3), title="Seeds", description="Whole numbers, as in 1,2,3.")

    @field_validator("seeds", mode="before")
    @classmethod
    def _parse_seeds(cls, value: Any) -> Any:
        return numbers(value, "seeds")

    @field_validator("seeds")
    @classmethod
    def _sound_seeds(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
            raise ValueError(f"seeds should be different whole numbers from 0 on. Found {seeds}. Give 1,2,3, say")
        return seeds

    @model_validator(mode="after")
    def _few_enough(self) -> Self:
        if self.size > MOST_RUNS:
            raise ValueError(f"A study should have {MOST_RUNS} runs at most. Found {self.size}. Ask for fewer")
        return self

    @classmethod
    def parse(cls, base: Mapping[str, Any], options: Mapping[str, Any]) -> Self:
        """Return a study. Raises SpecError for a wrong option or a spec that cannot be."""
        spec = RunSpec.parse(base).settled()
        try:
            return cls(base={**spec.flat(), "watch_norms": False}, **options)
        except ValidationError as error:
            key, found = fault(error, cls)
            raise SpecError(found, key) from None

    @property
    @abstractmethod
    def size(self) -> int:
        """How many runs there will be at most."""

    @property
    def steps(self) -> int:
        """How many steps these runs take at most, all together."""
        return self.size * int(self.base["steps"])

    @abstractmethod
    def wanted(self, results: Results) -> list[Member]:
        """Return the members that can be named by now, in their order; those that have ended stay among them.

        results: of the members that have ended, by key.
        """

    @abstractmethod
    def report(self, results: Results) -> dict[str, Any]:
        """Return what the runs say together, as plain JSON types; of a study that goes on, what they say by now."""

    def member(self, key: str, seed: int, **changes: Any) -> Member:
        """Return a member whose spec is the base's with another seed and other options. Raises SpecError."""
        return Member(f"{key}, seed {seed}", changed(self.base, {**changes, "seed": seed}))


def one(results: Results, key: str, seed: int) -> Result | None:
    """Return the result of a member for one seed, if there is one that can be compared."""
    result = results.get(f"{key}, seed {seed}")
    return result if result is not None and result.usable else None


def of_seeds(results: Results, key: str, seeds: Iterable[int]) -> list[Result]:
    """Return the results of a member's seeds that can be compared, in the order of the seeds."""
    return [result for seed in seeds if (result := one(results, key, seed))]


def spread(values: Sequence[float]) -> dict[str, float | int] | None:
    """Return median, least, most and number of values; None without any."""
    if not values:
        return None
    middle = sorted(values)
    half = len(middle) // 2
    median = middle[half] if len(middle) % 2 else (middle[half - 1] + middle[half]) / 2
    return {"median": median, "least": middle[0], "most": middle[-1], "runs": len(middle)}


def metrics_of(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Return each task's metrics with their spread over runs; empty without runs."""
    tasks = zip(*[result.metrics for result in results], strict=True)
    return [{name: spread([scores[name] for scores in task]) for name in task[0]} for task in tasks]
