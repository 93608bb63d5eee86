"""The diamonds of ggplot2: prices and qualities of 53,940 stones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from gradnorm.common.extras import require
from gradnorm.datasets.base import Form, Source
from gradnorm.datasets.tabular.table import FILES, IN_RAW_UNITS, TableDataset, TableSource, Target

TEST_ROWS = 10_000
GRADES = {
    "cut": ("Fair", "Good", "Very Good", "Premium", "Ideal"),
    "color": ("D", "E", "F", "G", "H", "I", "J"),
    "clarity": ("I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"),
}


class Diamonds(TableDataset):
    """Price, weight and three quality grades from a stone's measurements."""

    name: ClassVar[str] = "diamonds"
    title: ClassVar[str] = "Diamonds"
    summary: ClassVar[str] = "Price ($), carat, cut, color, clarity from x, y, z, depth, table."
    recommended: ClassVar[Mapping[str, Any]] = IN_RAW_UNITS
    packages: ClassVar[tuple[str, ...]] = ("pandas",)

    @property
    def task_names(self) -> tuple[str, ...]:
        """price, carat, cut, color, clarity."""
        return ("price", "carat", *GRADES)

    @property
    def task_forms(self) -> tuple[Form, ...]:
        """Two regressions, three classifications."""
        return ("regression", "regression", *("classification" for _ in GRADES))

    def load(self, seed: int) -> Source:
        """Return the stones; the 20 whose x, y or z is given as 0 (not measured) are left out."""
        require(f"Data set {self.name}", *self.packages)
        import pandas as pd

        table = pd.read_csv(FILES / "diamonds.csv.gz").query("x > 0 and y > 0 and z > 0")
        inputs = table[["x", "y", "z", "depth", "table"]].to_numpy(np.float64)
        targets = [
            Target("price", "regression", table[["price"]].to_numpy(np.float64), "$"),
            Target("carat", "regression", table[["carat"]].to_numpy(np.float64), "ct"),
        ]
        for name, grades in GRADES.items():
            codes = pd.Categorical(table[name], categories=grades).codes.astype(np.int64)
            targets.append(Target(name, "classification", codes, classes=len(grades)))
        return TableSource(self, inputs, targets, TEST_ROWS, seed)
