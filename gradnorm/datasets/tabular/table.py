"""Data sets that are tables: standardised inputs, targets in their units, rows held in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gradnorm.common.randomness import stream
from gradnorm.datasets.base import Batch, Dataset, Source, Task, unbound
from gradnorm.methods.base import Kind

FILES = Path(__file__).parents[1] / "builtin" / "files"
# Settings that suit targets in raw units: a weight learning rate of 0.1 shrinks the weight of a target with large
# values before its gradient has shaped the network.
IN_RAW_UNITS: Mapping[str, Any] = MappingProxyType(
    {"optimizer": "adam", "schedule": "cosine", "steps": 4000, "weight_learning_rate": 0.1}
)


@dataclass(frozen=True)
class Target:
    """A target column as the file has it.

    form: "regression" or "classification".
    values: [N, outputs] for a regression; [N], classes from 0, for a classification.
    unit: of the values; empty if there is none.
    classes: the number of classes; 0 for a regression.
    """

    name: str
    form: Kind
    values: NDArray[np.float64] | NDArray[np.int64]
    unit: str = ""
    classes: int = 0


class MeasuredDataset(Dataset):
    """Options of all data sets whose regression targets have units."""

    units: Literal["raw", "centred", "standardised"] = Field(
        "raw",
        title="Target units",
        description="raw: as in the file (dollars, pixels). centred: mean 0. standardised: mean 0, variance 1.",
    )
    output_scale: bool = Field(
        False,
        title="Scale the outputs",
        description="Heads answer in training-set units (mean + deviation × output); losses stay in raw ones.",
    )

    @property
    def advice(self) -> str:
        """Warn of raw targets, for which heads learn slowly."""
        if self.units != "standardised" and not self.output_scale:
            return (
                "In raw units a head has to reach large numbers in small steps, so a regression can end "
                "worse than its mean (R² below 0) once its weight is small. Its loss ratio L/L(0) flatters it even "
                "then, since the first loss is far above that of a constant answer. "
                "Remedy: standardised units, or Scale the outputs."
            )
        return ""

    def measured(
        self, name: str, center: NDArray[np.float64], scale: NDArray[np.float64], unit: str = ""
    ) -> tuple[Task, NDArray[np.float64], NDArray[np.float64]]:
        """Return the task of a regression, and the shift and factor of its targets: target = (value − shift) / factor.

        name: of the task.
        center, scale: mean and standard deviation of each output over the training rows, shape [outputs].
        unit: of the values; empty if there is none.
        """
        if self.units == "standardised":
            return Task(name, "regression", len(center)), center, scale
        shift = center if self.units == "centred" else np.zeros_like(center)
        task = Task(name, "regression", len(center), unit)
        if self.output_scale:
            task = replace(task, center=tuple(map(float, center - shift)), scale=tuple(map(float, scale)))
        return task, shift, np.ones_like(center)


class TableDataset(MeasuredDataset):
    """Options of all tables. Inputs are standardised with mean and standard deviation of the training rows."""


class TableSource(Source):
    """A table in memory. The test rows are the same for every seed.

    options: of the data set, which decide the units of the targets.
    inputs: [N, D].
    targets: one or more, of N rows each.
    test_rows: the number of rows to hold out, drawn at random; or their indices, [M].
    seed: of the batches, ≥ 0.
    validation_rows: the indices of rows that are neither trained on nor tested with, [V]; None or empty for none.
    """

    def __init__(
        self,
        options: TableDataset,
        inputs: NDArray[np.float64],
        targets: Sequence[Target],
        test_rows: int | NDArray[np.int64],
        seed: int,
        validation_rows: NDArray[np.int64] | None = None,
    ) -> None:
        import torch

        if isinstance(test_rows, int):
            order = stream(0, "table split").permutation(len(inputs))
            train, test = order[test_rows:], order[:test_rows]
        else:
            train, test = np.setdiff1d(np.arange(len(inputs)), test_rows), test_rows
        held = np.zeros(0, np.int64) if validation_rows is None else validation_rows
        train = train if not len(held) else np.setdiff1d(train, held)
        self._seed = seed
        x = (inputs - inputs[train].mean(0)) / standard_deviation(inputs[train])
        tasks: list[Task] = []
        columns: list[NDArray[np.float64] | NDArray[np.int64]] = []
        for target in targets:
            task, values = _task(options, target, train)
            tasks.append(task)
            columns.append(values)
        self.tasks = tuple(tasks)

        def rows(index: NDArray[np.int64]) -> Batch:
            tensors = [torch.from_numpy(c[index].astype(np.float32) if c.ndim == 2 else c[index]) for c in columns]
            return Batch(torch.from_numpy(x[index].astype(np.float32)), tuple(tensors))

        self._train, self.test = rows(train), rows(test)
        self.validation = rows(held) if len(held) else None
        self.examples = len(train)

    def batch(self, step: int, size: int) -> Batch:
        """Return `size` training rows drawn with replacement; see `Source.batch`."""
        return self.block(step, 1, size)[0]

    def block(self, first: int, count: int, size: int) -> list[Batch]:
        """Return several batches; see `Source.block`. The rows of all batches are gathered at once, which is faster."""
        import torch

        randoms = [stream(self._seed, "table batch", step) for step in range(first, first + count)]
        rows = torch.from_numpy(np.stack([random.integers(0, len(self._train.inputs), size) for random in randoms]))
        return unbound(self._train.inputs[rows], [target[rows] for target in self._train.targets])


def _task(
    options: TableDataset, target: Target, train: NDArray[np.int64]
) -> tuple[Task, NDArray[np.float64] | NDArray[np.int64]]:
    values = target.values
    if target.form == "classification":
        return Task(target.name, target.form, target.classes), values.astype(np.int64)
    task, shift, factor = options.measured(
        target.name, values[train].mean(0), standard_deviation(values[train]), target.unit
    )
    return task, (values - shift) / factor


def standard_deviation(values: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the standard deviation of each column, [D]; 1 for a constant column. values: [N, D]."""
    deviation = np.asarray(values, dtype=np.float64).std(0)
    return np.where(deviation > 0, deviation, 1.0)
