"""The trial of each lesson step: controls, charts, and a line of numbers below them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from gradnorm.charts import lesson as charts
from gradnorm.charts.lesson import Bars, Look
from gradnorm.ui.lesson import lesson_runs as runs
from gradnorm.ui.lesson.lesson_runs import ALPHA, SIGMAS, STEPS, WEIGHT_RATE, Course

Value = TypeVar("Value")

# Few stops, so that a class that tries them all shares a handful of cached runs.
SCALES = (1.0, 2.0, 3.0, 5.0, 7.0, 10.0)
ALPHAS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
NOISE_ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
WEIGHT_RATES = (0.01, 0.025, 0.05, 0.1)
MOMENTS = (1, 5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 140, STEPS)
EQUAL, GRADNORM = "Equal weights", "GradNorm"
_KEPT, _TRIED = "lesson.kept", "lesson.tried"


def drowning(look: Look) -> None:
    """Step 1: equal weights on two tasks of scales 1 and σ₂, compared with σ₂ = 1."""
    sigma = _slider("Scale of task 2, σ₂", SCALES, 1.0, "sigma")
    course, fair = _run((1.0, sigma)), _run((1.0, 1.0))
    figure = charts.lines(
        _list(course.tested),
        _rows(course.test_ratios),
        ["task 1 (σ₁ = 1)", f"task 2 (σ₂ = {sigma:g})"],
        look,
        title="Remaining test loss of each task",
        unit="test loss L̃ᵢ(t) = Lᵢ(t)/Lᵢ(0)",
        ghosts=[("task 1, fair case", _list(fair.test_ratios[:, 0]))],
    )
    figure.update_yaxes(range=[0, 1.05])
    ends, norms = course.test_ratios[-1], _late(course.norms)
    _chart(figure, "Test loss ratios of two tasks over the steps")
    _numbers(
        f"After {STEPS} steps, {ends[0]:.0%} of task 1's loss is left (fair case: {fair.test_ratios[-1, 0]:.0%}) and "
        f"{ends[1]:.0%} of task 2's. Task 2's gradient norm at the shared layer is {_times(norms[1] / norms[0])} "
        f"task 1's."
    )


def norms(look: Look) -> None:
    """Step 2: the paper's Figure 1 as moving bars: each G_i, its target, and an arrow between them."""
    chosen = _choice("Weights", (GRADNORM, EQUAL), "norms")
    course = _run(SIGMAS, ALPHA if chosen == GRADNORM else None)
    step = _slider("Step t", MOMENTS, 1, "norms-step")
    moments = [_moment(course, at) for at in MOMENTS]
    _chart(charts.norm_bars(moments, MOMENTS.index(step), course.names, look), "Gradient norms of three tasks as bars")
    bars, weights = moments[MOMENTS.index(step)], course.weights[step - 1]
    ratio = max(bars.norms) / min(bars.norms)
    _numbers(
        f"Step {step}: the largest norm is {_times(ratio)} the smallest. "
        f"Weights w = {_vector(weights)}" + (f", α = {ALPHA:g}." if chosen == GRADNORM else ".")
    )


def rates(look: Look) -> None:
    """Step 3: loss ratios and relative inverse training rates of one run."""
    chosen = _choice("Weights", (EQUAL, GRADNORM), "rates")
    course = _run(SIGMAS, ALPHA if chosen == GRADNORM else None)
    shown = [f"{name} (σ = {sigma:g})" for name, sigma in zip(course.names, SIGMAS, strict=True)]
    for title, unit, values, level in (
        ("Remaining training loss of each task", "L̃ᵢ(t) = Lᵢ(t)/Lᵢ(0)", course.ratios, None),
        ("Relative inverse training rates", "rᵢ(t), mean 1", course.rates, 1.0),
    ):
        figure = charts.lines(
            _list(course.steps),
            _rows(values),
            shown,
            look,
            title=title,
            unit=unit,
            level=level,
            short=True,
            legend=level is None,
        )
        _chart(figure, title)
    late = _late(course.rates)
    slow = int(late.argmax())
    _numbers(f"Over the last 40 steps r = {_vector(late)}: {course.names[slow]} learns slowest.")


def target(look: Look) -> None:
    """Step 4: GradNorm's targets at one step of a run with equal weights."""
    alpha = _slider("Asymmetry α", ALPHAS, 0.0, "target-alpha")
    step = _slider("Frozen at step t", MOMENTS, STEPS, "target-step")
    course = _run(SIGMAS)
    G, r = course.norms[step - 1], course.rates[step - 1]
    wanted = runs.targets(G, r, alpha)
    _chart(charts.target_bars(Bars(step, _list(G), _list(wanted)), course.names, look), "Norms and their targets")
    _numbers(
        f"Ḡ = {G.mean():.3g} and r = {_vector(r)}, so the targets are {_vector(wanted)}. "
        f"The gradient loss that GradNorm minimises is L_grad = {np.abs(G - wanted).sum():.3g}."
    )


def alpha(look: Look) -> None:
    """Step 5: runs with several α, which stay on the chart once tried."""
    chosen = _slider("Asymmetry α", ALPHAS, ALPHA, "alpha")
    tried = cast("set[float]", st.session_state.setdefault(_TRIED, set()))
    tried.add(chosen)
    courses = {"equal": _run(SIGMAS)} | {f"{a:g}": _run(SIGMAS, a) for a in sorted(tried)}
    ends = [course.test_ratios[-1] for course in courses.values()]
    names = courses["equal"].names
    places = ["equal", *(f"{a:g}" for a in ALPHAS)]
    figure = charts.spread(list(courses), _rows(ends), names, look, places, "equal weights, or GradNorm with α")
    _chart(figure, "Final test loss ratios of each run")
    end = courses[f"{chosen:g}"].test_ratios[-1]
    _numbers(
        f"α = {chosen:g}: the line is {np.ptp(end):.3f} long and the sum Σ L̃ᵢ is {end.sum():.3f} "
        f"(equal weights: {np.ptp(ends[0]):.3f} and {ends[0].sum():.3f})."
    )


def renormalise(look: Look) -> None:
    """Step 6: the weights of one run with and without renormalisation."""
    kept = _choice("Renormalisation", ("On", "Off"), "renormalise") == "On"
    rate = _slider("Weight learning rate", WEIGHT_RATES, WEIGHT_RATE, "weight-rate")
    course = _run(SIGMAS, ALPHA, rate)
    free = runs.unrenormalized(course, rate)
    weights = course.weights if kept else free
    figure = charts.lines(
        _list(course.steps),
        _rows(weights),
        [f"w{'₁₂₃'[i]} ({name})" for i, name in enumerate(course.names)],
        look,
        title=f"Loss weights, renormalisation {'on' if kept else 'off'}",
        unit="weight wᵢ(t), log scale",
        ghosts=[("sum Σ wᵢ", _list(weights.sum(axis=1)))],
        log=True,
    )
    figure.update_yaxes(range=[-1.7, 1.4])
    _chart(figure, "Loss weights over the steps")
    end, ratio = weights[-1], weights[-1] / weights[-1, -1]
    _numbers(
        f"At the end w = {_vector(end)} and the sum is {end.sum():.3g}. "
        f"w₁ : w₂ : w₃ = {ratio[0]:.3g} : {ratio[1]:.3g} : 1."
    )


def limits(look: Look) -> None:
    """Step 7: GradNorm's weights when one loss never falls."""
    chosen = _slider("Asymmetry α", NOISE_ALPHAS, 1.5, "noise-alpha")
    failure = runs.failed(chosen)
    for title, unit, values in (
        ("Invented losses", "loss Lᵢ(t)", failure.losses),
        (f"GradNorm's weights, α = {chosen:g}", "weight wᵢ(t)", failure.weights),
    ):
        figure = charts.lines(
            _list(failure.steps),
            _rows(values),
            failure.names,
            look,
            title=title,
            unit=unit,
            short=True,
            legend=values is failure.losses,
        )
        figure.update_yaxes(range=[0, 3.1 if values is failure.weights else 1.05])
        _chart(figure, title)
    share = failure.weights[-1, -1] / failure.weights[-1].sum()
    _numbers(f"At the end the noise task has r = {failure.rates[-1, -1]:.2f} and {share:.0%} of the total weight.")


# In the order of the files in assets/prose/lesson/.
TRIALS: tuple[Callable[[Look], None], ...] = (drowning, norms, rates, target, alpha, renormalise, limits)


def _run(sigmas: tuple[float, ...], alpha: float | None = None, rate: float = WEIGHT_RATE) -> Course:
    # Only the first run of a server has to wait for torch.
    loading = "" if "torch" in sys.modules else ", after loading PyTorch (once)"
    with st.spinner(f"Training a small network{loading} …"):
        return runs.trained(sigmas, alpha, rate)


def _slider(label: str, stops: Sequence[Value], start: Value, key: str) -> Value:
    """Show a slider over a few stops and return its value, which is remembered while other steps are shown."""
    kept, name = _kept(), f"lesson-{key}"
    st.session_state.setdefault(name, kept.get(key, start))
    kept[key] = st.select_slider(label, stops, key=name, format_func=lambda v: f"{v:g}")
    return kept[key]


def _choice(label: str, names: tuple[str, ...], key: str) -> str:
    """Show a choice of names, the first chosen at the start, and return the chosen one."""
    kept, name = _kept(), f"lesson-{key}"
    st.session_state.setdefault(name, kept.get(key, names[0]))
    kept[key] = st.segmented_control(label, names, key=name, required=True)
    return kept[key]


def _kept() -> dict[str, Any]:
    # Streamlit forgets widgets that are not on the page; this keeps their values for when the reader returns.
    return cast("dict[str, Any]", st.session_state.setdefault(_KEPT, {}))


def _chart(figure: go.Figure, alt: str) -> None:
    st.plotly_chart(figure, config={"displayModeBar": False}, alt=alt)


def _numbers(text: str) -> None:
    with st.container(key="lesson-reading"):
        st.markdown(text)


def _moment(course: Course, step: int) -> Bars:
    targets = None if course.targets is None else _list(course.targets[step - 1])
    return Bars(step, _list(course.norms[step - 1]), targets)


def _late(values: runs.Numbers) -> runs.Numbers:
    """Return the mean over the last 40 steps, shape [T], since a single batch is noisy."""
    return values[-40:].mean(axis=0)


def _times(ratio: float) -> str:
    return f"{ratio:.1f} times" if ratio < 10 else f"{ratio:.0f} times"


def _vector(values: runs.Numbers) -> str:
    return f"({', '.join(f'{v:.3g}' for v in values)})"


def _list(values: runs.Numbers) -> list[float]:
    return cast("list[float]", values.tolist())


def _rows(values: Any) -> list[list[float]]:
    return cast("list[list[float]]", np.asarray(values).tolist())
