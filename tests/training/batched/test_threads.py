"""A group split over the cores is the group; work is divided evenly, equal data together."""

import os

import pytest
import torch

from gradnorm.config.spec import RunSpec
from gradnorm.runs.records import Checkpoint
from gradnorm.training.batched.group import Group
from gradnorm.training.batched.threads import ThreadedGroup
from gradnorm.training.run import Run
from tests.factories import TINY


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def runs(count, **changes):
    specs = [RunSpec.parse({**TINY, "alpha": i / 4, "seed": i % 2, **changes}) for i in range(count)]
    sources = {spec.seed: spec.dataset.load(spec.seed) for spec in specs}
    found = [Run.build(spec, sources[spec.seed]) for spec in specs]
    for run in found:
        run.evaluate()
    return found


@pytest.mark.parametrize("count", [1, 2, 5])
def test_teams_step_as_one_group_does(count, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    teams, group = ThreadedGroup(runs(count)), Group(runs(count))
    for _ in range(6):
        for one, other in zip(teams.step(), group.step(), strict=True):
            assert (one.step, one.alpha) == (other.step, other.alpha)
            assert one.weights == pytest.approx(other.weights, rel=1e-4)
            assert one.losses == pytest.approx(other.losses, rel=1e-4)
    teams.retune(count - 1, {"alpha": 4.0})
    assert [r.alpha for r in teams.step()] == [*(i / 4 for i in range(count - 1)), 4.0]
    kept = teams.checkpoint(count - 1)
    assert isinstance(kept, Checkpoint)
    assert kept.step == 7
    teams.close()
    group.close()


def test_as_many_teams_as_threads_are_allowed(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    for count, threads, expected in ((1, 1, [1]), (2, 1, [1, 1]), (5, 1, [2, 2, 1]), (4, 0, [4])):
        teams = ThreadedGroup(runs(count, threads=threads))
        assert [len(group.runs) for group in teams._groups] == expected
        teams.close()


def test_equal_data_are_in_one_team(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    teams = ThreadedGroup(runs(6))
    assert [{run.spec.seed for run in group.runs} for group in teams._groups] == [{0}, {1}]
    teams.close()
