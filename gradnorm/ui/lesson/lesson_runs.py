"""What the lesson computes: small real runs, and the method's own arithmetic. Plain numbers come out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

STEPS = 160
SIGMAS = (1.0, 3.0, 10.0)
# The pair on which weights are set by hand.
PAIR = (1.0, 10.0)
# Found by trying: small enough to train in a second, and still what the prose says of it is so at every stop of every
# slider. The inputs are small to keep the teacher's tanh out of saturation, where little can be learnt so soon.
SETTING: dict[str, Any] = {
    "dataset": "toy",
    "input_scale": 0.05,
    "width": 128,
    "depth": 1,
    "initialization": "uniform",
    "optimizer": "adam",
    "learning_rate": 0.03,
    "batch_size": 32,
    "steps": STEPS,
    "eval_every": 20,
    "device": "cpu",
    "threads": 1,
}
ALPHA, WEIGHT_RATE = 0.5, 0.06
EQUAL: dict[str, Any] = {"method": "equal"}
# An equation with a solution that is known: a wave that travels to the right.
WAVE: dict[str, Any] = {
    "dataset": "advection",
    "speed": 8.0,
    "width": 32,
    "depth": 2,
    "optimizer": "adam",
    "learning_rate": 0.01,
    "batch_size": 64,
    "steps": 400,
    "eval_every": 40,
    "device": "cpu",
    "threads": 1,
}


def gradnorm(alpha: float = ALPHA, half_life: float = 10.0) -> dict[str, Any]:
    """Return the settings of GradNorm as the lesson uses it.

    alpha: the asymmetry α, ≥ 0.  half_life: in steps, > 0; short, since a run has few steps.
    """
    return {"method": "gradnorm", "alpha": alpha, "half_life": half_life}


def step_by_step(weight_rate: float) -> dict[str, Any]:
    """Return GradNorm that moves the weights by a factor a step. weight_rate: the logarithm of this factor."""
    return {"method": "gradnorm", "update": "log", "alpha": ALPHA, "weight_learning_rate": weight_rate}


def by_hand(ratio: float) -> dict[str, Any]:
    """Return fixed weights for two tasks. ratio: w₁/w₂ > 0."""
    return {"method": "static", "weights": (ratio, 1.0)}


@dataclass(frozen=True)
class Course:
    """One finished run. n steps, m evaluations, T tasks.

    steps: t, shape [n].  weights, norms, ratios, rates: w_i, G_i, L̃_i, r_i, shape [n, T].
    targets: Ḡ·r_i^α, shape [n, T], None for equal weights.
    tested: steps of the evaluations, shape [m].  test_ratios: L̃_i on the test set, shape [m, T].
    errors: of the first task's metric at the evaluations, shape [m].
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
    errors: Numbers


def settings(sigmas: tuple[float, ...], method: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flat keys of a run on the toy. sigmas: σ_i of each task.  method: as `gradnorm` or `EQUAL`."""
    return {**SETTING, "sigmas": sigmas, **method}


def trained(sigmas: tuple[float, ...], method: Mapping[str, Any]) -> Course:
    """Return a run on the toy; arguments as in `settings`."""
    return run(spelled(settings(sigmas, method)))


def spelled(flat: Mapping[str, Any]) -> str:
    """Return flat keys of a spec as the text that `run` takes."""
    return json.dumps(dict(flat))


@st.cache_data(max_entries=128, show_spinner=False)
def run(spec_text: str) -> Course:
    """Return the run of a spec in its flat form, as JSON: what is cached has to be found again."""
    from gradnorm.config.spec import RunSpec
    from gradnorm.runs.records import Evaluation, StepRecord
    from gradnorm.training.engine import train

    spec = RunSpec.from_json(spec_text)
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
        targets=np.array([row.targets for row in rows]) if spec.method.sets_targets else None,
        tested=np.array([test.step for test in tests], float),
        test_ratios=np.array([test.loss_ratios for test in tests]),
        errors=np.array([next(iter(test.metrics[0].values()), np.nan) for test in tests]),
    )


@dataclass(frozen=True)
class Answers:
    """What the tasks of the toy ask for. For each task: (B + ε_i)x and y of a few examples, both of shape [n].

    squares: the mean of y² over the whole test set, shape [T].
    """

    before: tuple[Numbers, ...]
    targets: tuple[Numbers, ...]
    squares: Numbers


@st.cache_data(max_entries=16, show_spinner=False)
def answers(sigmas: tuple[float, ...], examples: int = 60) -> Answers:
    """Return the first output's targets in a few test examples. sigmas: σ_i of each task."""
    from gradnorm.config.spec import RunSpec

    source = RunSpec.parse(settings(sigmas, EQUAL)).dataset.load(0)
    whole = [np.asarray(targets, float) for targets in source.test.targets]
    rows = tuple(targets[:examples, 0] for targets in whole)
    # The targets tell what went into tanh, but where it is so close to ±1 that its digits are lost.
    before = tuple(np.arctanh((row / sigma).clip(-0.9999, 0.9999)) for row, sigma in zip(rows, sigmas, strict=True))
    return Answers(before, rows, np.array([np.square(targets).mean() for targets in whole]))


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
class Invented:
    """GradNorm's own weights on invented losses. steps: shape [n]; losses, weights, rates: shape [n, T]."""

    names: tuple[str, ...]
    steps: Numbers
    losses: Numbers
    weights: Numbers
    rates: Numbers


# The third task of three: what its loss does, and what it is called.
THIRD = {"stuck": "stuck task", "solved": "solved task"}


@st.cache_data(max_entries=64, show_spinner=False)
def invented(third: str, alpha: float, steps: int = 240) -> Invented:
    """Return what GradNorm does when the third of three tasks cannot be learnt, or is learnt at once.

    Two losses fall from 1 to a floor. The third stays at 1 ("stuck") or falls to 0.001 at once ("solved"). Each
    gradient norm is √L_i, since the gradient of a squared error is proportional to the error itself.
    """
    import torch

    from gradnorm.methods.base import Signal
    from gradnorm.methods.gradnorm import GradNormMethod

    t = np.arange(steps, dtype=float)
    last = np.ones(steps) if third == "stuck" else 0.001 + 0.999 * np.exp(-t / 4)
    losses = np.stack([0.05 + 0.95 * np.exp(-t / 40), 0.05 + 0.95 * np.exp(-t / 80), last], axis=1)
    method = GradNormMethod(update="closed", alpha=alpha, half_life=10.0)
    state = method.start(torch.ones(3), ("regression",) * 3)
    weights: list[list[float]] = []
    rates: list[list[float]] = []
    for row in losses:
        loss = torch.tensor(row, dtype=torch.float32)
        balance, state = method.balance(state, Signal(loss, loss.sqrt()))
        weights.append(balance.weights.tolist())
        rates.append(balance.relative_rates.tolist())
    names = ("quick task", "slow task", THIRD[third])
    return Invented(names, t + 1, losses, np.array(weights), np.array(rates))
