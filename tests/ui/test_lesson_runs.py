"""The lesson's numbers: what its texts say is so, at every stop of every slider."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import numpy as np
import pytest

from gradnorm.charts.lesson import Look
from gradnorm.config.spec import RunSpec
from gradnorm.ui.lesson import lesson_runs as runs
from gradnorm.ui.lesson.contents import find, steps
from gradnorm.ui.lesson.wording import late, spread
from tests.factories import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*ScriptRunContext")]

EQUAL = runs.EQUAL


def stops(name: str, key: str) -> tuple[float, ...]:
    return next(control.stops for control in find(name).trial.controls if control.key == key)


def total(sigmas, method) -> float:
    return float(runs.trained(sigmas, method).test_ratios[-1].sum())


def gap(norms) -> float:
    """The largest over the least."""
    return float(norms.max() / norms.min())


@pytest.fixture(scope="module")
def equal():
    return runs.trained(runs.SIGMAS, EQUAL)


def test_runs_are_short():
    """A step of this network takes 2 to 4 ms on a slow core: no run on the toy is longer than a breath."""
    spec = RunSpec.parse(runs.settings(runs.SIGMAS, EQUAL))
    assert spec.steps * spec.batch_size <= 6_000
    assert spec.width * spec.depth <= 128
    assert spec.steps / spec.eval_every <= 12
    assert (spec.device, spec.pace) == ("cpu", 0)


def test_stops_are_even():
    """Evenly spaced, or each the same number of times as large as the one before, roughly."""
    for step in steps():
        for control in step.trial.controls:
            numbers = getattr(control, "stops", (0.0, 1.0))
            gaps, factors = np.diff(numbers), np.diff(np.log(np.maximum(numbers, 1e-9)))
            even = np.ptp(gaps) < 1e-9 or np.ptp(factors) < math.log(1.12)
            assert even, f"{step.name}: {numbers}"
            assert getattr(control, "start", 0.0) in (*numbers, *getattr(control, "names", ()))


@pytest.mark.parametrize("sigma", stops("data", "sigma"))
def test_the_squared_error_grows_with_the_square_of_the_scale(sigma):
    answers = runs.answers((1.0, sigma))
    assert answers.squares[1] / answers.squares[0] == pytest.approx(sigma**2, rel=0.02)
    for before, targets, scale in zip(answers.before, answers.targets, (1.0, sigma), strict=True):
        inside = abs(before) < 3
        np.testing.assert_allclose(targets[inside], scale * np.tanh(before[inside]), rtol=1e-3)


def test_the_more_of_task_1_remains_the_larger_its_neighbour():
    courses = [runs.trained((1.0, sigma), EQUAL) for sigma in stops("drowning", "sigma")]
    ends = [course.test_ratios[-1, 0] for course in courses]
    assert np.diff(ends).min() > 0.01
    fair = courses[0].test_ratios[-1]
    assert fair[0] == pytest.approx(fair[1], abs=0.03)


@pytest.mark.parametrize("sigma", stops("drowning", "sigma")[1:])
def test_the_pull_begins_sigma_times_as_hard_and_grows(sigma):
    norms = runs.trained((1.0, sigma), EQUAL).norms
    assert norms[0, 1] / norms[0, 0] == pytest.approx(sigma, rel=0.1)
    last = late(norms)
    assert last[1] / last[0] > 1.3 * sigma


def test_no_stop_beats_gradnorm_and_30_to_1_is_the_best():
    sums = {ratio: total(runs.PAIR, runs.by_hand(ratio)) for ratio in stops("by-hand", "ratio")}
    course = runs.trained(runs.PAIR, runs.gradnorm())
    assert course.test_ratios[-1].sum() < min(sums.values()) - 0.01
    best = min(sums, key=lambda ratio: sums[ratio])
    assert best == 30
    assert 20 < course.weights[-1, 0] / course.weights[-1, 1] < 45
    # Below it task 1 drowns, above it task 2.
    ends = {ratio: runs.trained(runs.PAIR, runs.by_hand(ratio)).test_ratios[-1] for ratio in sums}
    assert all(ends[ratio][0] > ends[30.0][0] for ratio in sums if ratio < 30)
    assert all(ends[ratio][1] > ends[30.0][1] for ratio in sums if ratio > 30)


def test_gradnorm_brings_the_norms_together_and_equal_weights_do_not(equal):
    balanced = runs.trained(runs.SIGMAS, runs.step_by_step(runs.WEIGHT_RATE))
    moments = [int(t) for t in stops("norms", "t")]
    assert gap(equal.norms[0]) == gap(balanced.norms[0]) > 9
    assert all(gap(balanced.norms[t]) < 1.6 for t in moments if t >= 30)
    assert all(gap(balanced.norms[t]) < gap(equal.norms[t]) for t in moments if t)
    assert gap(late(equal.norms)) > 1.5 * gap(equal.norms[0])


@pytest.mark.parametrize("sigma", stops("rates", "sigma"))
def test_gradnorm_keeps_the_rates_closer(sigma):
    sigmas = (1.0, 3.0, sigma)
    apart, closer = (late(runs.trained(sigmas, method).rates) for method in (EQUAL, runs.gradnorm()))
    assert spread(closer) < 0.6 * spread(apart)


def test_rates_have_the_mean_1(equal):
    np.testing.assert_allclose(equal.rates.mean(axis=1), 1, atol=1e-6)


def test_targets_have_the_mean_of_the_norms_with_one_task_above_and_one_below(equal):
    for t in stops("target", "t"):
        G, r = equal.norms[int(t)], equal.rates[int(t)]
        for alpha in stops("target", "alpha"):
            wanted = runs.targets(G, r, alpha)
            assert wanted.mean() == pytest.approx(G.mean())
            assert (wanted < G).any()
            assert (wanted > G).any()
        np.testing.assert_allclose(runs.targets(G, r, 0.0), G.mean())
        # Targets part as α grows.
        apart = [spread(runs.targets(G, r, alpha)) for alpha in stops("target", "alpha")]
        assert apart == sorted(apart)


def test_targets_are_those_of_the_method():
    course = runs.trained(runs.SIGMAS, runs.gradnorm(1.5))
    for step in (0, 80, -1):
        wanted = runs.targets(course.norms[step], course.rates[step], 1.5)
        np.testing.assert_allclose(wanted, course.targets[step], rtol=1e-5)


def test_a_larger_alpha_makes_the_lines_shorter_and_lower_than_with_equal_weights(equal):
    ends = [runs.trained(runs.SIGMAS, runs.gradnorm(alpha)).test_ratios[-1] for alpha in stops("alpha", "alpha")]
    stems = [spread(end) for end in ends]
    assert stems == sorted(stems, reverse=True)
    assert stems[0] < 0.5 * spread(equal.test_ratios[-1])
    sums = [end.sum() for end in ends]
    assert sums == sorted(sums, reverse=True)
    assert sums[0] < equal.test_ratios[-1].sum() - 0.1
    # What task 3 gives up.
    assert all(end[2] > equal.test_ratios[-1, 2] for end in ends)


@pytest.mark.parametrize("rate", stops("renormalise", "rate"))
def test_without_renormalising_only_the_sum_differs(rate):
    course = runs.trained(runs.SIGMAS, runs.step_by_step(rate))
    free = runs.unrenormalized(course, rate)
    sums = free.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(3 * free / sums, course.weights, rtol=1e-4)
    np.testing.assert_allclose(course.weights.sum(axis=1), 3, rtol=1e-5)
    assert sums[0] == 3
    assert sums[-1] > 6


def test_a_stuck_task_gets_the_more_weight_the_larger_alpha_and_a_solved_one_the_less():
    alphas = stops("limits", "alpha")
    stuck, solved = ([runs.invented(third, a).weights[-1, 2] for a in alphas] for third in runs.THIRD)
    assert stuck == sorted(stuck)
    assert solved == sorted(solved, reverse=True)
    for weights in (stuck, solved):
        for alpha, weight in zip(alphas, weights, strict=True):
            # Where α = ½ the loss drops out: w_i ∝ r_i^α / √L_i.
            more = alpha > 0.5 if weights is stuck else alpha < 0.5
            assert weight == pytest.approx(1, abs=0.05) if alpha == 0.5 else (weight > 1.5) == more


_WAVES = """
import json
from gradnorm.ui.lesson import lesson_runs as runs
from gradnorm.ui.lesson.steps.equation import HALF_LIFE, TRIAL
methods = [runs.EQUAL, *(runs.gradnorm(alpha, HALF_LIFE) for alpha in TRIAL.slider.stops)]
print(json.dumps([runs.run(runs.spelled({**runs.WAVE, **method})).errors[-1] for method in methods]))
"""


def test_gradnorm_is_nearer_to_the_wave_at_every_alpha():
    """In a process without the checks of shapes that tests have, which take most of the time of so small a network."""
    done = subprocess.run([sys.executable, "-c", _WAVES], capture_output=True, text=True, check=True, cwd=ROOT)
    equal, *others = json.loads(done.stdout)
    assert len(others) == len(find("equation").trial.slider.stops)
    assert all(0.3 < error < equal - 0.02 for error in others)


def test_the_gain_is_nothing_at_equal_scales_and_grows_with_them():
    gains = [total((1.0, sigma), EQUAL) - total((1.0, sigma), runs.gradnorm()) for sigma in stops("when-not", "sigma")]
    assert gains[0] == pytest.approx(0, abs=0.01)
    assert np.diff(gains).min() > -0.005
    assert gains[-1] > 0.1


@pytest.mark.parametrize("step", [step for step in steps() if step.name != "equation"], ids=lambda step: step.name)
def test_every_stop_of_every_control_has_a_picture_of_its_own(step):
    """Nothing is drawn outside of its axes either."""
    start = {control.key: control.start for control in step.trial.controls}
    for control in step.trial.controls:
        readings = []
        for value in getattr(control, "stops", None) or control.names:
            settings = {**start, control.key: value}
            picture = step.trial.picture(settings, [settings[step.trial.slider.key]], Look())
            readings.append(
                (
                    picture.reading,
                    str(picture.figures[0][0].layout.title.text),
                    str([figure.to_dict() for figure, _ in picture.figures]),
                )
            )
            if picture.settings:
                RunSpec.parse(picture.settings)
            for figure, alt in picture.figures:
                assert alt
                inside(figure)
        assert len(set(readings)) == len(readings)


def inside(figure) -> None:
    heights = figure.layout.yaxis.range
    if heights is None:
        return
    low, high = (10**h if figure.layout.yaxis.type == "log" else h for h in heights)
    drawn = [y for trace in figure.data if trace.type == "scatter" for y in trace.y if y is not None]
    assert low <= min(drawn)
    assert max(drawn) <= high
