"""What the site says is to be seen, against the numbers of its own engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.site.conftest import node

pytestmark = pytest.mark.slow

Seen = dict[str, "Result"]


class Result:
    """What came of one contender: [steps, T] by quantity, and the shares of the first test losses, [evaluations, T]."""

    def __init__(self, plain: dict[str, Any]) -> None:
        rows = np.array(plain["rows"], float)
        names = [name.partition(".")[0] for name in plain["columns"]]
        self.of = {name: rows[:, [other == name for other in names]] for name in names}
        self.left = np.array([each["loss_ratios"] for each in plain["evaluations"]])


@pytest.fixture
def see(site) -> Callable[[int], Seen]:
    """Train one of the things to see, by its number on the page."""
    declared = (site / "site/declared.json").read_text()

    def trained(number: int) -> Seen:
        return {k: Result(v) for k, v in json.loads(node("see.js", str(number - 1), given=declared)).items()}

    return trained


def test_1_a_task_is_drowned_out(see):
    equal = see(1)["equal"]
    norms = equal.of["gradient_norms"]
    assert (norms[:, 1] / norms[:, 0]).min() > 1.5
    assert np.median(norms[:, 1] / norms[:, 0]) > 5
    assert equal.left[:, 0].max() > 20
    assert equal.left[-1, 0] < 1


@pytest.mark.long
def test_2_gradnorm_balances(see):
    seen = see(2)
    gradnorm, equal = seen["gradnorm"], seen["equal"]
    assert gradnorm.of["weights"][1, 1] == pytest.approx(0.25, abs=0.03)
    norms = gradnorm.of["gradient_norms"][1:]
    assert (norms.max(1) / norms.min(1)).max() < 5
    assert gradnorm.of["loss_ratios"][:, 0].max() < 1.1
    assert gradnorm.left[6].sum() > equal.left[6].sum()
    assert gradnorm.left[-1].sum() < equal.left[-1].sum()


def test_4_small_steps(see):
    gradnorm = see(4)["gradnorm"]
    weights = gradnorm.of["weights"]
    assert np.abs(np.diff(np.log(weights), axis=0)).max() < 0.021
    assert weights[99, 1] == pytest.approx(0.25, abs=0.03)
    assert gradnorm.of["loss_ratios"][:, 0].max() == pytest.approx(5, abs=0.5)


def test_5_ten_tasks(see):
    seen = see(5)
    assert np.abs(seen["equal"].left[-1] - 1).max() < 0.05
    assert seen["gradnorm"].left[-1].max() < 0.9


def test_6_nothing_to_balance(see):
    seen = see(6)
    assert np.abs(seen["gradnorm"].of["weights"] - 1).max() < 0.2
    assert seen["gradnorm"].left[-1].sum() == pytest.approx(seen["equal"].left[-1].sum(), rel=1e-2)
