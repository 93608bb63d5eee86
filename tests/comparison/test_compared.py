"""Groups side by side: the baseline, Δm against it or against single tasks, tables, and runs that can't be read."""

from __future__ import annotations

import pytest

from gradnorm.comparison import tables
from gradnorm.comparison.compared import compare
from gradnorm.comparison.loading import MOST_RUNS, load
from gradnorm.comparison.measures import TOTAL, Measure
from tests.comparison.made import loaded, make

RMSE, MIOU = Measure("test_metric", "depth", "rmse"), Measure("test_metric", "classes", "miou")


@pytest.fixture
def three(store):
    """GradNorm and equal weights with seeds 0 … 2, by hand; GradNorm has a seed more."""
    gradnorm = [make(store, [9.0, rmse], [0.0, 0.5], seed=s) for s, rmse in enumerate((1.0, 2.0, 3.0, 50.0))]
    equal = [make(store, [9.0, rmse], [0.0, 0.4], method="equal", seed=s) for s, rmse in enumerate((2.0, 4.0, 6.0))]
    return gradnorm, equal


def test_scores_differences_and_p_by_hand(store, three):
    gradnorm, equal = three
    found = compare(loaded(store, *gradnorm, *equal))
    assert found.baseline.label == "Equal weights"
    own, base = (found.score(group, "final", RMSE) for group in found.groups)
    assert (own.spread.mean, own.spread.n) == (14.0, 4)
    assert (base.spread.mean, base.spread.sd, base.paired) == (4.0, 2.0, None)
    # −1, −2, −3 where seeds match; seed 3 has no pair.
    assert (own.paired.difference, own.paired.pairs, own.paired.p) == (-2.0, 3, 0.25)
    assert found.best("final", RMSE) is found.groups[1]
    assert found.best("final", MIOU) is found.groups[0]
    assert found.headline == [Measure(TOTAL), RMSE, MIOU]


def test_any_run_can_be_the_baseline(store, three):
    gradnorm, equal = three
    found = compare(loaded(store, *gradnorm, *equal), baseline=gradnorm[1])
    assert found.baseline is found.groups[0]
    assert found.score(found.groups[1], "final", RMSE).paired.difference == 2.0
    # rmse is twice as large, a loss of 100 %; miou 0.4 of 0.5, a loss of 20 %.
    gained = found.gains["Equal weights", "final"]
    assert gained.spread.mean == pytest.approx((-100 - 20) / 2)
    assert gained.spread.n == 3
    assert gained.why == ""
    with pytest.raises(ValueError, match=r"The baseline should be one of the compared runs. Found 'nope'"):
        compare(loaded(store, *equal), baseline="nope")


def test_delta_m_against_single_tasks_goes_by_the_seed(store, three):
    _, equal = three
    depth = [make(store, [9.0, 4.0], [0.0, 0.1], method="single", task=1, seed=s) for s in (0, 1)]
    classes = [make(store, [9.0, 99.0], [0.0, 0.5], method="single", task=2, seed=s) for s in (0, 1)]
    found = compare(loaded(store, *depth, *classes, *equal))
    assert found.baseline.label == "Equal weights"
    assert found.against == "single-task runs of the same seed"
    # Seed 0: rmse 2 of 4 is +50 %, miou 0.4 of 0.5 is −20 %; seed 1: rmse 4 of 4 is 0 %. Seed 2 has none.
    gained = found.gains["Equal weights", "final"]
    assert (gained.spread.low, gained.spread.high) == (pytest.approx(-10.0), pytest.approx(15.0))
    assert gained.why == "Δm needs one run of depth alone and seed 2. Found none."
    assert [label for label, _ in found.gains] == ["Equal weights"] * 3


def test_two_yardsticks_are_none(store, three):
    _, equal = three
    alone = [make(store, [9.0, 4.0], method="single", task=t, learning_rate=r) for t in (1, 2) for r in (0.1, 0.2)]
    gained = compare(loaded(store, *alone, equal[0])).gains["Equal weights", "final"]
    assert gained.spread is None
    assert gained.why == "Δm needs one run of depth alone and seed 0. Found 2."


def test_a_run_that_broke_off_counts_in_no_score(store, three):
    gradnorm, equal = three
    lost = make(store, [9.0, 1e9], seed=9, kind="diverged")
    found = compare(loaded(store, *gradnorm[:3], lost, *equal), baseline=equal[0])
    assert found.score(found.groups[0], "final", RMSE).spread.n == 3
    assert "Δm needs the tests of a run that has not failed" in found.gains[found.groups[0].label, "final"].why
    alone = compare(loaded(store, lost))
    assert alone.score(alone.groups[0], "final", RMSE) is None
    assert tables.scores(alone, "final", alone.headline).rows == (("GradNorm α 0.5", "0", "–", "–", "–"),)


def test_tables(store, three):
    gradnorm, equal = three
    found = compare(loaded(store, *gradnorm[:3], *equal))
    table = tables.scores(found, "final", [RMSE, MIOU])
    assert table.head == ("Group", "Seeds", "depth: rmse", "classes: miou")
    assert table.rows[0] == ("GradNorm α 0.5", "3", "2 ± 1", "0.5 ± 0")
    assert table.best == {(0, 2), (0, 3)}
    assert tables.differences(found, "final", [RMSE]).rows == (("GradNorm α 0.5", "3", "−2 (p 0.25)"),)
    assert tables.differs(found).rows == (("method", "gradnorm", "equal"), ("alpha", "0.5", "–"))
    assert tables.differs(compare(loaded(store, *equal))) is None
    assert [row[:4] for row in tables.runs(found).rows][3] == (equal[0], "Equal weights", "0", "finished")
    lines = tables.as_text(table).splitlines()
    assert lines[1].index("3") == lines[0].index("Seeds")


def test_metrics_are_found_by_their_keys(store, three):
    found = compare(loaded(store, three[0][0]))
    assert found.chosen([]) == [Measure(TOTAL)]
    assert found.chosen(["weights.depth", RMSE.key, RMSE.key]) == [Measure("weights", "depth"), RMSE]
    with pytest.raises(ValueError, match=r"A metric should be one that the runs have: test_task.*Found 'nope'"):
        found.chosen(["nope"])
    with pytest.raises(ValueError, match=r"at least one run. Found none"):
        compare([])


def test_what_cannot_be_read_is_told_and_the_rest_is_compared(store, three):
    gradnorm, equal = three
    store.delete(gradnorm[0])
    found = load(store, [gradnorm[0], "nope", "", equal[0], equal[0], equal[1]])
    assert [run.info.run for run in found.runs] == equal[:2]
    assert found.faults == (
        f"There is no run {gradnorm[0]!r} here. It may have been deleted; the other runs are compared.",
        "There is no run 'nope' here. It may have been deleted; the other runs are compared.",
    )


def test_a_run_in_the_trash_is_compared_and_told(store, three):
    _, equal = three
    store.catalogue.trash([equal[0]])
    found = load(store, equal)
    assert len(found.runs) == 3
    assert found.faults == (
        f"Run {equal[0]} is in the trash. It is compared all the same; the Runs page can restore it.",
    )


def test_sixty_four_runs_are_compared_and_no_more(store):
    runs = [make(store, [9.0, 1.0 + seed], seed=seed) for seed in range(MOST_RUNS + 1)]
    found = load(store, runs)
    assert len(found.runs) == MOST_RUNS
    assert found.faults == ("Up to 64 runs can be compared. Found 65. The first 64 are shown.",)
    assert compare(found.runs).score(compare(found.runs).groups[0], "final", RMSE).spread.n == 64
