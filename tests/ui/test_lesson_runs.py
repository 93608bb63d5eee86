"""The lesson's numbers: what its prose says of them is so."""

from __future__ import annotations

import numpy as np
import pytest

from gradnorm.config.spec import RunSpec
from gradnorm.ui.lesson import lesson_runs as runs
from gradnorm.ui.lesson.steps import ALPHAS, NOISE_ALPHAS, SCALES, WEIGHT_RATES

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*ScriptRunContext")]


@pytest.fixture(scope="module")
def equal():
    return runs.trained(runs.SIGMAS)


@pytest.fixture(scope="module")
def balanced():
    return {alpha: runs.trained(runs.SIGMAS, alpha) for alpha in ALPHAS}


def test_runs_are_short():
    """A step of this network takes 2 to 4 ms on a slow core: no run is longer than a breath."""
    spec = RunSpec.parse({**runs.SETTING, "sigmas": runs.SIGMAS})
    assert spec.steps * spec.batch_size <= 6_000
    assert spec.width * spec.depth <= 128
    assert spec.steps / spec.eval_every <= 12
    assert (spec.device, spec.pace) == ("cpu", 0)


def test_a_larger_neighbour_drowns_task_1():
    ends = [runs.trained((1.0, sigma)).test_ratios[-1, 0] for sigma in (SCALES[0], SCALES[2], SCALES[-1])]
    assert ends[0] < ends[1] - 0.05 < ends[2] - 0.1
    fair = runs.trained((1.0, 1.0)).test_ratios[-1]
    assert fair[0] == pytest.approx(fair[1], abs=0.02)


def test_the_pull_begins_sigma_times_as_hard_and_grows():
    for sigma in SCALES[1:]:
        norms = runs.trained((1.0, sigma)).norms
        first, last = norms[0], norms[-40:].mean(axis=0)
        assert first[1] / first[0] == pytest.approx(sigma, rel=0.1)
        assert last[1] / last[0] > 1.3 * sigma


def test_gradnorm_brings_the_norms_together(equal, balanced):
    def gap(course):
        late = course.norms[-40:].mean(axis=0)
        return late.max() / late.min()

    assert gap(equal) > 10
    assert gap(balanced[0.0]) < 1.1
    assert gap(balanced[0.5]) < 1.4


def test_rates_have_the_mean_1_and_the_slowest_changes(equal):
    np.testing.assert_allclose(equal.rates.mean(axis=1), 1, atol=1e-6)
    assert equal.rates[40:80].mean(axis=0).argmax() == 2
    assert equal.rates[-40:].mean(axis=0).argmax() == 0


def test_targets_are_those_of_the_method(balanced):
    course = balanced[1.5]
    for step in (0, 80, -1):
        wanted = runs.targets(course.norms[step], course.rates[step], 1.5)
        np.testing.assert_allclose(wanted, course.targets[step], rtol=1e-5)


def test_a_larger_alpha_brings_progress_together_and_every_alpha_beats_equal_weights(equal, balanced):
    ends = [balanced[alpha].test_ratios[-1] for alpha in ALPHAS]
    stems = [np.ptp(end) for end in ends]
    assert stems == sorted(stems, reverse=True)
    sums = [end.sum() for end in ends]
    assert max(sums) < equal.test_ratios[-1].sum() - 0.05
    assert sums.index(min(sums)) < sums.index(max(sums)) == len(ALPHAS) - 1
    # What task 3 gives up.
    assert all(end[2] > equal.test_ratios[-1, 2] for end in ends)


@pytest.mark.parametrize("rate", WEIGHT_RATES)
def test_without_renormalising_only_the_sum_differs(rate):
    course = runs.trained(runs.SIGMAS, runs.ALPHA, rate)
    free = runs.unrenormalized(course, rate)
    sums = free.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(3 * free / sums, course.weights, rtol=1e-4)
    np.testing.assert_allclose(course.weights.sum(axis=1), 3, rtol=1e-5)
    assert sums[0] == 3
    assert sums[-1] > 5


def test_noise_gets_the_more_weight_the_larger_alpha():
    ends = {alpha: runs.failed(alpha).weights[-1] for alpha in NOISE_ALPHAS}
    noise = [end[2] for end in ends.values()]
    assert noise == sorted(noise)
    # Where α = ½ the loss drops out: w_i ∝ r_i^α / √L_i.
    np.testing.assert_allclose(ends[0.5], 1, atol=0.06)
    assert ends[0.25].argmin() == 2
    assert ends[0.75].argmax() == 2
    assert ends[3.0][2] > 2.9
