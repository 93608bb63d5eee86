"""The record that the first page replays: what today's code would say of that race, and the story that it tells."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from gradnorm.config.spec import preset
from gradnorm.config.variants import against_equal
from gradnorm.runs.records import Evaluation, columns
from gradnorm.training.together import train_together
from gradnorm.ui.live import prepared
from gradnorm.ui.location import assets

RECORD = json.loads((assets() / "live" / f"{prepared.NAME}.json").read_text())
SPECS = against_equal(preset(prepared.NAME))


def test_the_record_is_of_the_race_that_the_button_starts():
    assert [{key: each[key] for key in ("run", "label")} for each in RECORD["runs"]] == list(prepared.contenders())
    for spec, each in zip(SPECS, RECORD["runs"], strict=True):
        assert each["hello"]["title"] == spec.title, "Settings have changed: run `make first-race`."
        assert each["hello"]["columns"] == columns(2), "Records have changed: run `make first-race`."
        assert each["status"]["step"] == each["hello"]["steps"] == spec.steps
        rows = np.frombuffer(base64.b64decode(each["rows"]), "<f4").reshape(-1, each["width"])
        assert rows[-1, 0] == spec.steps
        assert [test["step"] for test in each["evaluations"]] == list(range(0, spec.steps + 1, spec.eval_every))


def totals(evaluations) -> list[float]:
    return [each["task_normalized_loss"] for each in evaluations]


def test_the_record_tells_the_story():
    gradnorm, equal = [totals(each["evaluations"]) for each in RECORD["runs"]]
    assert gradnorm[-1] < 0.9 * equal[-1]
    assert max(gradnorm) == gradnorm[0], "The test loss should never rise above its first value."
    assert max(equal) > 1.1 * equal[0], "Equal weights should be seen to fail at first."


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_the_race_tells_the_story_on_another_seed_when_it_is_run(seed):
    specs = against_equal(preset(prepared.NAME, {"seed": seed, "device": "cpu"}))
    runs = [[each for each in records if isinstance(each, Evaluation)] for records in _all(train_together(specs))]
    gradnorm, equal = [[each.task_normalized_loss for each in evaluations] for evaluations in runs]
    assert gradnorm[-1] < 0.9 * equal[-1]
    assert max(gradnorm) == gradnorm[0]


def _all(iterators):
    return zip(*zip(*iterators, strict=True), strict=True)
