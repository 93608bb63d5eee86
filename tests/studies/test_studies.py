"""Studies as values: which members they want, and what these say together. Nothing is trained here."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradnorm.config.spec import SpecError
from gradnorm.studies.alpha import AlphaStudy
from gradnorm.studies.base import Result, spread
from gradnorm.studies.grid import FixedStudy, GridStudy, correlation, draws
from gradnorm.studies.registry import KINDS, study_of
from gradnorm.studies.table import TableStudy
from tests.factories import TINY

STUDIES = {
    "alpha": AlphaStudy.parse(TINY, {"alphas": "0,0.5,1,2,3", "seeds": "1,2"}),
    "adaptive": AlphaStudy.parse(TINY, {"alphas": "0,0.5,1,2,3", "seeds": "1,2", "adaptive": True}),
    "short": AlphaStudy.parse({**TINY, "steps": 2}, {"alphas": "0,1,2", "seeds": "1", "adaptive": True}),
    "grid": GridStudy.parse(TINY, {"count": 9, "seeds": "1,2"}),
    "fixed": FixedStudy.parse(TINY, {"around": 3, "seeds": "1,2"}),
    "table": TableStudy.parse(TINY, {"methods": "equal,gradnorm:alpha=0.5", "seeds": "1,2"}),
}
every_study = pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)


def result(loss: float = 1.0, weights=(1.5, 0.5), losses=(1.0, 1.0), outcome: str = "finished") -> Result:
    if not math.isfinite(loss):
        return Result("diverged", 3, loss, (), (), weights, weights)
    return Result(outcome, 100, loss, losses, ({"r2": 1 - loss},) * 2, weights, weights)


def losses_of(draw, members):
    """Return what some of these members came to; now and then one has diverged."""
    numbers = st.one_of(st.floats(0.1, 10), st.just(math.nan))
    return {member.key: result(draw(numbers)) for member in members if draw(st.booleans())}


@every_study
@given(data=st.data())
def test_members_that_were_named_stay_whatever_has_ended(study, data):
    """As runs end in any order, the members named before keep their places and their specs; none is named twice."""
    results, before = {}, []
    for _ in range(12):
        now = study.wanted(results)
        keys = [member.key for member in now]
        assert len(set(keys)) == len(keys) <= study.size
        named = {member.key: member.spec for member in now}
        assert all(named[member.key] == member.spec for member in before)
        assert [key for key in keys if key in {m.key for m in before}] == [m.key for m in before]
        assert set(results) <= set(keys)
        study.report(results)
        before = now
        results |= losses_of(data.draw, [member for member in now if member.key not in results])


@every_study
def test_a_study_ends_and_has_as_many_runs_and_steps_as_it_said(study):
    results = {}
    while missing := [member for member in study.wanted(results) if member.key not in results]:
        results |= {member.key: result(1 + len(results) / 10 + k / 100) for k, member in enumerate(missing)}
    members = study.wanted(results)
    assert len(members) == study.size
    assert sum(member.spec.steps for member in members) == study.steps


@every_study
def test_a_study_is_read_back_from_its_stored_form(study):
    assert study_of(study.kind, study.model_dump(mode="json")) == study


@given(st.lists(st.floats(0, 5), min_size=1, max_size=6, unique=True))
def test_close_alphas_have_names_of_their_own(alphas):
    study = AlphaStudy.parse(TINY, {"alphas": alphas, "seeds": "1"})
    keys = [member.key for member in study.wanted({})]
    assert len(set(keys)) == len(alphas) + 1


def test_halving_keeps_the_better_half_of_each_round():
    study = STUDIES["adaptive"]
    assert study.rounds({}) == [(25, (0.0, 0.5, 1.0, 2.0, 3.0))]
    quarter = {member.key: result(abs(member.spec.method.alpha - 1)) for member in study.wanted({})[2:]}
    assert study.rounds(quarter)[1:] == [(50, (0.5, 1.0))]
    half = quarter | {
        member.key: result(member.spec.method.alpha) for member in study.wanted(quarter) if member.spec.steps == 50
    }
    assert study.rounds(half)[2:] == [(100, (0.5,))]
    rows = {row["alpha"]: row["dropped_at"] for row in study.report(half)["alphas"]}
    assert rows == {0.0: 25, 0.5: None, 1.0: 50, 2.0: 25, 3.0: 25}


def test_a_diverged_seed_counts_as_the_worst_in_a_round():
    study = STUDIES["adaptive"]
    results = {member.key: result(1 + member.spec.method.alpha) for member in study.wanted({})[2:]}
    results["α 0 for 25 steps, seed 2"] = result(math.nan)
    assert study.rounds(results)[1] == (50, (0.5, 1.0))


def alpha_results(**losses):
    """Return results of the α sweep; losses by name, "equal" or "a" and the α without its point, one for each seed."""
    results = {}
    for name, values in losses.items():
        key = "equal weights" if name == "equal" else f"α {name[1:].replace('_', '.')}"
        results |= {f"{key}, seed {seed}": result(loss) for seed, loss in enumerate(values, 1)}
    return results


def test_the_suggestion_is_the_lowest_median_and_says_so():
    report = STUDIES["alpha"].report(
        alpha_results(equal=(4, 5), a0=(2.0, 3.0), a0_5=(1.0, 1.2), a1=(0.9, 1.4), a2=(9.0, 9.0), a3=(0.1, math.nan))
    )
    assert report["suggested"]["alpha"] == 0.5
    assert report["suggested"]["why"] == (
        "The lowest median of the test loss, 1.1. It was below α 1, the next best, on 1 of 2 seeds."
    )
    rows = {row["alpha"]: row for row in report["alphas"]}
    assert [alpha for alpha, row in rows.items() if row["unstable"]] == [0.0, 2.0, 3.0]
    assert report["unstable_from"] == 2.0
    assert rows[0.0]["gain"] == spread([1 - 2 / 4, 1 - 3 / 5])
    assert rows[0.5]["weights"] == [1.5, 0.5]
    assert rows[0.5]["metrics"][0]["r2"]["median"] == pytest.approx(-0.1)


def test_a_sweep_without_results_suggests_nothing():
    report = STUDIES["alpha"].report({})
    assert report["suggested"] is None
    assert not any(row["unstable"] for row in report["alphas"])


def test_draws_are_the_same_each_time_and_sum_to_the_number_of_tasks():
    np.testing.assert_array_equal(draws(50, 3), draws(50, 3))
    np.testing.assert_array_equal(draws(80, 3)[:50], draws(50, 3))
    np.testing.assert_allclose(draws(50, 3).sum(1), 3)
    assert (draws(50, 3) > 0).all()


def test_a_point_of_the_grid_is_its_distance_and_its_change():
    study = GridStudy.parse(TINY, {"count": 2, "seeds": "1"})
    report = study.report(
        {
            "GradNorm, seed 1": result(1.0, (1.5, 0.5), (2.0, 1.0)),
            "random 1, seed 1": result(2.0, (1.2, 0.9), (3.0, 0.5)),
            "random 2, seed 1": result(math.nan),
            "equal weights, seed 1": result(0.5, (1.0, 1.0), (1.0, 0.5)),
        }
    )
    (point,) = report["points"]
    assert point["distance"] == pytest.approx(math.hypot(0.3, 0.4))
    assert point["change"] == pytest.approx(100 * (1 - (1.5 + 0.5) / 2))
    assert report["diverged"] == 1
    assert report["methods"]["equal weights"]["change"]["median"] == pytest.approx(50)
    assert report["methods"]["GradNorm"]["better_than"]["median"] == 1.0
    assert report["methods"]["GradNorm Static"]["loss"] is None
    assert report["correlation"] is None


def test_a_correlation_by_hand():
    # x − 2 = (−2, −1, 0, 1, 2), y − 3 = (−2, 1, −1, 3, −1): their product sums to 4 − 1 + 0 + 3 − 2 = 4, the squares
    # to 10 and 16. Ranks of y: 1, 4, 2.5, 5, 2.5; less 3 and times x − 2: 4 − 1 + 0 + 2 − 1 = 4, squares 10 and 9.5.
    found = correlation(np.arange(5.0), np.array([1.0, 4.0, 2.0, 6.0, 2.0]))
    assert found["pearson"]["value"] == pytest.approx(4 / math.sqrt(160))
    assert found["spearman"]["value"] == pytest.approx(4 / math.sqrt(95))
    for each in found.values():
        assert -1 <= each["low"] <= each["value"] <= each["high"] <= 1


@given(st.integers(4, 40), st.integers(0, 1000))
def test_a_correlation_is_numpys_and_its_rank_form_knows_only_order(n, seed):
    x, noise = np.random.default_rng(seed).standard_normal((2, n))
    y = x + noise
    found = correlation(x, y)
    assert found["pearson"]["value"] == pytest.approx(np.corrcoef(x, y)[0, 1])
    ranks = np.corrcoef(x.argsort().argsort(), y.argsort().argsort())[0, 1]
    assert found["spearman"]["value"] == pytest.approx(ranks)
    assert correlation(np.exp(x), y**3)["spearman"]["value"] == pytest.approx(ranks)


def test_candidates_come_once_gradnorm_has_ended_on_all_seeds_and_the_best_becomes_a_line_of_code():
    study = STUDIES["fixed"]
    assert study.candidates({"GradNorm, seed 1": result()}) == {}
    results = {"GradNorm, seed 1": result(weights=(1.6, 0.4)), "GradNorm, seed 2": result(weights=(1.2, 0.8))}
    candidates = study.candidates(results)
    assert candidates["mean of all steps"] == (1.4, 0.6)
    assert list(candidates) == ["mean of all steps", "mean of the last half", "draw 1", "draw 2", "draw 3"]
    assert all(sum(weights) == pytest.approx(2, abs=1e-5) for weights in candidates.values())
    results |= {f"mean of all steps, seed {seed}": result(0.5) for seed in (1, 2)}
    results |= {f"draw 1, seed {seed}": result(loss) for seed, loss in ((1, 0.1), (2, math.nan))}
    report = study.report(results)
    assert (report["best"], report["code"]) == ("mean of all steps", "loss = 1.4 * losses[0] + 0.6 * losses[1]")


def test_a_result_is_read_back_from_its_stored_form():
    for each in (result(1.25), replace(result(), loss=math.nan)):
        again = Result.from_dict(each.to_dict())
        assert (again.usable, again.to_dict()) == (each.usable, each.to_dict())


@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        ("alpha", {"alphas": "0,0"}, "different numbers in"),
        ("alpha", {"alphas": "7"}, "different numbers in"),
        ("alpha", {"seeds": "1,1"}, "different whole numbers"),
        ("grid", {"count": 1}, r"count should be a whole number in \[2, 900\]"),
        ("grid", {"count": 900, "seeds": tuple(range(40))}, "1000 runs at most"),
        ("fixed", {"nonsense": 1}, "nonsense should be one of"),
    ],
)
def test_what_is_out_of_range_is_named(kind, options, says):
    with pytest.raises(SpecError, match=says):
        KINDS[kind].parse(TINY, options)
