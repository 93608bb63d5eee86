"""scikit-learn's handwritten digits: 1,797 pictures of 8 × 8 pixels, 0–16 (UCI, Alpaydin & Kaynak)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from gradnorm.datasets.base import Source
from gradnorm.datasets.tabular.table import FILES, TableDataset, TableSource, Target

TEST_ROWS = 500


class Digits(TableDataset):
    """Which digit, how much ink, and the picture again."""

    name: ClassVar[str] = "digits"
    title: ClassVar[str] = "Digits"
    summary: ClassVar[str] = "Handwritten digits: class, ink (sum of pixels) and reconstruction."
    recommended: ClassVar[Mapping[str, Any]] = {"optimizer": "adam", "steps": 2000, "alpha": 1.5}

    @property
    def task_names(self) -> tuple[str, ...]:
        """class, ink, reconstruction."""
        return ("class", "ink", "reconstruction")

    @property
    def task_forms(self) -> tuple[str, ...]:
        """One classification, two regressions."""
        return ("classification", "regression", "regression")

    def load(self, seed: int) -> Source:
        """Return 1,297 training and 500 test pictures."""
        table = np.loadtxt(FILES / "digits.csv.gz", delimiter=",")
        pixels, label = table[:, :64], table[:, 64].astype(np.int64)
        targets = [
            Target("class", "classification", label, classes=10),
            Target("ink", "regression", pixels.sum(1, keepdims=True), "grey levels"),
            Target("reconstruction", "regression", pixels, "grey levels"),
        ]
        return TableSource(self, pixels, targets, TEST_ROWS, seed)
