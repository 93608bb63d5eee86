"""Bike sharing in Washington, D.C., hour by hour (UCI, H. Fanaee-T and J. Gama; a year of it, as ISLR2 has it)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from gradnorm.common.extras import require
from gradnorm.common.randomness import stream
from gradnorm.datasets.base import Form, Source
from gradnorm.datasets.tabular.table import FILES, IN_RAW_UNITS, TableDataset, TableSource, Target

TEST_DAYS = 73
WEATHER = ("clear", "cloudy/misty", "light rain/snow", "heavy rain/snow")
_CATEGORIES, _NUMBERS = ("mnth", "hr", "weekday"), ("holiday", "workingday", "temp", "atemp", "hum", "windspeed")


class Bikes(TableDataset):
    """Casual riders, registered riders and the weather of an hour."""

    name: ClassVar[str] = "bikes"
    title: ClassVar[str] = "Bikes"
    summary: ClassVar[str] = "Riders (casual, registered) and weather from hour, date, temperature, humidity, wind."
    recommended: ClassVar[Mapping[str, Any]] = IN_RAW_UNITS
    packages: ClassVar[tuple[str, ...]] = ("pandas",)

    @property
    def task_names(self) -> tuple[str, ...]:
        """casual, registered, weather."""
        return ("casual", "registered", "weather")

    @property
    def task_forms(self) -> tuple[Form, ...]:
        """Two regressions, one classification."""
        return ("regression", "regression", "classification")

    def load(self, seed: int) -> Source:
        """Return the hours: 73 days of the 365 are for the test, whole, since the hours of a day are alike."""
        require(f"Data set {self.name}", *self.packages)
        import pandas as pd

        table = pd.read_csv(FILES / "bikeshare.csv.gz")
        categories = pd.get_dummies(table[[*_CATEGORIES]].astype(str), dtype=float)
        inputs = np.hstack([categories.to_numpy(), table[[*_NUMBERS]].to_numpy(np.float64)])
        weather = pd.Categorical(table["weathersit"], categories=WEATHER).codes.astype(np.int64)
        targets = [
            Target("casual", "regression", table[["casual"]].to_numpy(np.float64), "riders"),
            Target("registered", "regression", table[["registered"]].to_numpy(np.float64), "riders"),
            Target("weather", "classification", weather, classes=len(WEATHER)),
        ]
        days = table["day"].to_numpy()
        held_out = stream(0, "bikes days").permutation(np.unique(days))[:TEST_DAYS]
        return TableSource(self, inputs, targets, np.flatnonzero(np.isin(days, held_out)), seed)
