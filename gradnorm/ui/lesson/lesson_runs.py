"""What the lesson computes: small real runs, and the method's own arithmetic. Plain numbers come out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

STEPS = 160
SIGMAS = (1.0, 3.0, 10.0)
# Found by trying: small enough to train in a second, and still what the prose says of it is so.
# The inputs are small to keep the teacher's tanh out of saturation, where little can be learnt so soon.
SETTING: dict[str, Any] = {
    "dataset": "toy",
    "input_scale": 0.05,
    "width": 128,
    "depth": 1,
    "initialization": "uniform",
    "optimizer": "adam",
    "learning_rate": 0.015,
    "batch_size": 32,
    "steps": STEPS,
    "eval_every": 20,
    "device": "cpu",
    "threads": 1,
}
ALPHA, WEIGHT_RATE = 0.5, 0.05
# Algorithm 1 moves the weights step by step, which is what the lesson shows; it weighs the heads, too.
ALGORITHM: dict[str, Any] = {"update": "log", "heads": "weighted"}


@dataclass(frozen=True)
class Course:
    """One finished run. n steps, m evaluations, T tasks.

    steps: t, shape [n].  weights, norms, ratios, rates: w_i, G_i, L̃_i, r_i, shape [n, T].
    targets: Ḡ·r_i^α, shape [n, T], None for equal weights.
    tested: steps of the evaluations, shape [m].  test_ratios: L̃_i on the test set, shape [m, T].
    """

    names: tuple[str, ...]
    steps: Numbers
    weights: Numbers
    norms: Numbers
    ratios: Numbers
    rates: Numbers
    targets: Numbers | None
    tested: Numbers
    test_ratios: Numbers


@st.cache_data(max_entries=64, show_spinner=False)
def trained(sigmas: tuple[float, ...], alpha: float | None = None, weight_rate: float = WEIGHT_RATE) -> Course:
    """Return a run on the toy: a task for each σ; GradNorm with asymmetry `alpha`, equal weights without one."""
    from gradnorm.config.spec import RunSpec
    from gradnorm.runs.records import Evaluation, StepRecord
    from gradnorm.training.engine import train

    method: dict[str, Any] = {"method": "equal"}
    if alpha is not None:
        method = {"method": "gradnorm", **ALGORITHM, "alpha": alpha, "weight_learning_rate": weight_rate}
    spec = RunSpec.parse({**SETTING, "sigmas": sigmas, **method})
    records = list(train(spec))
    rows = [record for record in records if isinstance(record, StepRecord)]
    tests = [record for record in records if isinstance(record, Evaluation)]
    return Course(
        names=spec.dataset.task_names,
        steps=np.array([row.step for row in rows], float),
        weights=np.array([row.weights for row in rows]),
        norms=np.array([row.gradient_norms for row in rows]),
        ratios=np.array([row.loss_ratios for row in rows]),
        rates=np.array([row.relative_rates for row in rows]),
        targets=None if alpha is None else np.array([row.targets for row in rows]),
        tested=np.array([test.step for test in tests], float),
        test_ratios=np.array([test.loss_ratios for test in tests]),
    )


def targets(norms: Numbers, rates: Numbers, alpha: float) -> Numbers:
    """Return Ḡ·r_i^α/mean_j r_j^α, shape [T], for G_i and r_i of shape [T]: those of "closed" and "log"."""
    powers = rates**alpha
    return norms.mean() * powers / powers.mean()


def unrenormalized(course: Course, weight_rate: float) -> Numbers:
    """Return w_i(t), shape [n, T], had the recorded run's update left out its last line.

    The rule is that of "log": w_i ← w_i·exp(−rate·sign(G_i − target_i)). A common factor in all weights
    changes no sign, so the run's own signs serve: what differs is the sum alone.
    """
    assert course.targets is not None, "Equal weights have no update to leave a line out of"
    moves = -weight_rate * np.sign(course.norms - course.targets)
    before = np.vstack([np.zeros_like(moves[:1]), moves[:-1]])
    return np.exp(before.cumsum(axis=0))


@dataclass(frozen=True)
class Failure:
    """GradNorm's own weights on invented losses. steps: shape [n]; losses, weights, rates: shape [n, T]."""

    names: tuple[str, ...]
    steps: Numbers
    losses: Numbers
    weights: Numbers
    rates: Numbers


@st.cache_data(max_entries=64, show_spinner=False)
def failed(alpha: float, steps: int = 240) -> Failure:
    """Return what GradNorm does when the third of three tasks cannot be learnt.

    The losses are invented: two fall from 1 to a floor, the third stays at 1. Each gradient norm is √L_i,
    since the gradient of a squared error is proportional to the error itself.
    """
    import torch

    from gradnorm.methods.base import Signal
    from gradnorm.methods.gradnorm import GradNormMethod

    t = np.arange(steps, dtype=float)
    losses = np.stack([0.05 + 0.95 * np.exp(-t / 40), 0.05 + 0.95 * np.exp(-t / 80), np.ones(steps)], axis=1)
    method = GradNormMethod(**ALGORITHM, alpha=alpha, weight_learning_rate=WEIGHT_RATE)
    state = method.start(torch.ones(3), ("regression",) * 3)
    weights: list[list[float]] = []
    rates: list[list[float]] = []
    for row in losses:
        loss = torch.tensor(row, dtype=torch.float32)
        balance, state = method.balance(state, Signal(loss, loss.sqrt()))
        weights.append(balance.weights.tolist())
        rates.append(balance.relative_rates.tolist())
    names = ("quick task", "slow task", "pure noise")
    return Failure(names, t + 1, losses, np.array(weights), np.array(rates))
