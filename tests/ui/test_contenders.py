"""What the panel is told of the runs that it draws together."""

from __future__ import annotations

import pytest

from gradnorm.config.spec import RunSpec
from gradnorm.config.variants import contenders as specs_of
from gradnorm.runs.records import Event
from gradnorm.ui.live.family import contenders as drawn_with
from tests.factories import TINY, step_records


@pytest.fixture
def family(store):
    """Make a race; return what the panel is told of it when its first run is watched."""

    def told(text, prepare=lambda runs: None):
        specs = specs_of(RunSpec.parse(TINY), text)
        runs = store.create_race([(s.title, s.flat()) for s in specs], specs[0].dataset.task_names, queued=False)
        prepare(runs)
        return drawn_with(store, store.info(runs[0]))

    return told


def test_runs_that_differ_in_nothing_but_the_seed_are_a_team(family):
    told = family("equal:seed=1,gradnorm:alpha=0.5:seed=1,equal:seed=2,gradnorm:alpha=1.5:seed=2")
    assert [each["team"] for each in told] == ["Equal weights", "GradNorm α 0.5", "Equal weights", "GradNorm α 1.5"]
    assert [each["label"] for each in told][::2] == ["Equal weights seed 1", "Equal weights seed 2"]
    assert [each["method"] for each in told] == ["equal", "gradnorm", "equal", "gradnorm"]


def test_a_run_whose_alpha_was_moved_is_in_no_team_with_others(family, store):
    def move(runs):
        store.append(runs[0], step_records(1, 5))
        store.append(runs[0], [], events=[Event(3, "alpha", 2.0, 0.0)])

    told = family("gradnorm:alpha=0.5:seed=1,gradnorm:alpha=0.5:seed=2,gradnorm:alpha=0.5:seed=3", move)
    first, second, third = (each["team"] for each in told)
    assert second == third != first


def test_64_contenders_are_all_drawn(family):
    told = family(",".join(f"gradnorm:alpha={i / 20}" for i in range(64)))
    assert len({each["label"] for each in told}) == 64
