"""The toy of the paper's section 4, Eq. 3: f_i(x) = σ_i tanh((B + ε_i) x)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from gradnorm.common.declarations import numbers
from gradnorm.common.randomness import stream
from gradnorm.datasets.base import Batch, Dataset, Source, Task, numbered, unbound

if TYPE_CHECKING:
    from torch import Tensor

INPUTS, OUTPUTS, TEST_EXAMPLES = 250, 100, 500
MAX_TASKS = 64
_COUNTS = frozenset(str(n) for n in range(1, MAX_TASKS + 1))


def sample_sigmas(tasks: int, scale: float, seed: int) -> tuple[float, ...]:
    """Return random loss scales σ from |N(0, scale)|, rounded to three digits, at least 0.001.

    tasks: how many, ≥ 1.  scale: standard deviation, > 0.  seed: ≥ 0; the same seed gives the same values.
    """
    values = np.abs(stream(seed, "sigmas").normal(0.0, scale, tasks))
    return tuple(float(f"{max(value, 1e-3):.3g}") for value in values)


class Toy(Dataset):
    """T regression tasks that differ in scale σ_i and share most of what they compute."""

    name: ClassVar[str] = "toy"
    title: ClassVar[str] = "Toy (Eq. 3)"
    summary: ClassVar[str] = "T regressions σ tanh((B + ε)x), 250 inputs, 100 outputs, as in the paper."
    numbered_tasks: ClassVar[bool] = True

    tasks: int = Field(2, ge=1, le=MAX_TASKS, title="Tasks", description="How many tasks T share the network.")
    sigmas: tuple[float, ...] = Field(
        (),
        title="Loss scales σ",
        description="One σ > 0 a task, as in 1,100. Left out: |N(0, 10)|, drawn with the run's seed 0.",
    )
    spread: Literal["variance", "deviation"] = Field(
        "variance",
        title="Reading of N(0, 10)",
        description="Whether 10 and 3.5 are variances or standard deviations; the paper leaves it open.",
    )
    inputs: Literal["normal", "uniform"] = Field(
        "normal", title="Input distribution", description="normal: N(0, 1). uniform: [−√3, √3]. Scaled below."
    )
    noise: int = Field(
        0,
        ge=0,
        le=MAX_TASKS,
        title="Noise tasks",
        description="So many of the tasks, the last ones, get targets that the input says nothing of.",
    )
    input_scale: float = Field(1.0, gt=0, le=100, title="Input scale", description="Standard deviation of each input.")

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, options: Any) -> Any:
        """Take the number of tasks from the number of σ, or draw as many σ as there are tasks."""
        if not isinstance(options, Mapping):
            return options
        values: dict[str, Any] = dict(options)  # pyright: ignore[reportUnknownArgumentType]
        values["sigmas"] = sigmas = numbers(values.get("sigmas", ()), "sigmas")
        if sigmas and "tasks" not in values:
            values["tasks"] = len(sigmas)
        elif not sigmas:
            tasks = values.get("tasks", 2)
            if str(tasks).removesuffix(".0") in _COUNTS:
                values["sigmas"] = sample_sigmas(int(float(tasks)), 10.0, 0)
        return values

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.sigmas) != self.tasks:
            raise ValueError(
                f"sigmas should have one value for each of the {self.tasks} tasks. "
                f"Found {len(self.sigmas)}. Give as many as tasks, or leave one of the two out"
            )
        if self.noise > self.tasks:
            raise ValueError(
                f"noise should be in [0, {self.tasks}], since there are {self.tasks} tasks. Found {self.noise}. "
                "Choose fewer noise tasks"
            )
        wrong = [s for s in self.sigmas if not 1e-6 <= s <= 1e6]
        if wrong:
            raise ValueError(f"sigmas should be in [0.000001, 1000000]. Found {wrong[0]:g}. Choose a σ > 0")
        return self

    @property
    def task_names(self) -> tuple[str, ...]:
        """task 1 … task T."""
        return tuple(map(str, numbered(self.tasks)))

    @property
    def task_forms(self) -> tuple[str, ...]:
        """All regressions."""
        return ("regression",) * self.tasks

    def load(self, seed: int) -> Source:
        """Return a source with B and ε_i drawn from the seed, and new examples at every step."""
        return ToySource(self, seed)


class ToySource(Source):
    """New examples at every step. The target functions stay the same.

    toy: the options.  seed: of B, ε_i and the batches, ≥ 0.
    """

    def __init__(self, toy: Toy, seed: int) -> None:
        import torch

        self._toy, self._seed = toy, seed
        root = np.sqrt if toy.spread == "variance" else float
        B = stream(seed, "toy B").normal(0.0, root(10.0), (OUTPUTS, INPUTS))
        # Each task has its own random stream, so adding a task does not change the others.
        rows = [B + stream(seed, "toy epsilon", i).normal(0.0, root(3.5), (OUTPUTS, INPUTS)) for i in range(toy.tasks)]
        self._teacher = torch.from_numpy(np.concatenate(rows).astype(np.float32)).T
        self._sigmas = torch.tensor(toy.sigmas, dtype=torch.float32).repeat_interleave(OUTPUTS)
        self.tasks = tuple(Task(name, "regression", OUTPUTS) for name in toy.task_names)
        (self.test,) = self._examples([stream(seed, "toy test")], TEST_EXAMPLES)

    def batch(self, step: int, size: int) -> Batch:
        """See `Source.batch`."""
        return self._examples([stream(self._seed, "toy batch", step)], size)[0]

    def block(self, first: int, count: int, size: int) -> list[Batch]:
        """Return several batches; see `Source.block`. One matrix product makes all targets, which is faster."""
        steps = range(first, first + count)
        return self._examples([stream(self._seed, "toy batch", step) for step in steps], size)

    def line(self, positions: Sequence[float]) -> Batch | None:
        """Return the examples s·u for the first test input u; None with noise tasks, which are no functions of it."""
        import torch

        if self._toy.noise:
            return None
        inputs = torch.tensor(positions, dtype=torch.float32)[:, None] * self.test.inputs[:1]
        targets = torch.tanh(inputs @ self._teacher) * self._sigmas
        return Batch(inputs, targets.split(OUTPUTS, dim=-1))

    def _examples(self, randoms: Sequence[np.random.Generator], size: int) -> list[Batch]:
        """Return a batch from each stream."""
        import torch

        x = np.empty((len(randoms), size, INPUTS), np.float32)
        for random, own in zip(randoms, x, strict=True):
            if self._toy.inputs == "normal":
                random.standard_normal(out=own, dtype=np.float32)
            else:
                own[:] = (random.random((size, INPUTS), dtype=np.float32) - 0.5) * np.float32(np.sqrt(12))
        inputs: Tensor = torch.from_numpy(x)
        if self._toy.input_scale != 1.0:
            inputs = inputs * self._toy.input_scale
        outputs = torch.mm(inputs.view(-1, INPUTS), self._teacher).tanh_()
        if self._toy.noise:
            # These are targets of other inputs. They have the same distribution, and only their mean can be learnt.
            first = (self._toy.tasks - self._toy.noise) * OUTPUTS
            others = np.concatenate([random.standard_normal((size, INPUTS), dtype=np.float32) for random in randoms])
            outputs[:, first:] = torch.tanh(torch.from_numpy(others) @ self._teacher[:, first:])
        targets = outputs.mul_(self._sigmas).view(len(randoms), size, -1).split(OUTPUTS, dim=-1)
        return unbound(inputs, targets)
