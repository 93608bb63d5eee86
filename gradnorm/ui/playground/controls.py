"""The Playground's sidebar: preset, data set, method, α, priorities, tasks and σ, and an expander with the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from gradnorm.common.texts import later
from gradnorm.config.options import Option, options
from gradnorm.config.spec import PRESETS, datasets, methods
from gradnorm.config.variants import task_texts
from gradnorm.datasets.builtin.toy import sample_sigmas
from gradnorm.datasets.by_path.own_table import target_of
from gradnorm.runs.plain import short
from gradnorm.ui import navigation, session
from gradnorm.ui.markdown import plain
from gradnorm.ui.playground.race import race
from gradnorm.ui.widgets import FINE, PLACES, WIDE, key_of, renew, scale_slider, show, widget
from gradnorm.ui.words import t, titles

_CUSTOM = later("Custom")

# So many tasks have their priorities in sight.
_FEW = 3

# Options shown at a fixed place; all others go to the expander.
_PLACED = ("tasks", "sigmas", "alpha", "units", "output_scale", "seed")


def controls() -> None:
    """Show all controls, filled from the session's spec."""
    spec = session.spec()
    by_key = {option.key: option for option in options(spec.dataset.name, spec.method.name)}
    values = spec.settled().flat()
    _choice(t("Preset"), "preset", {name: name for name in PRESETS}, session.preset_name(), _choose_preset)
    # What pages may not start is only shown where a run of it is watched.
    offered = {name: kind for name, kind in datasets().items() if kind.from_pages or name == spec.dataset.name}
    kinds = (
        ("dataset", t("Data set"), offered, spec.dataset),
        ("method", t("Method"), methods(), spec.method),
    )
    for key, label, known, chosen in kinds:
        titles = {name: t(kind.title) for name, kind in known.items()}
        _choice(label, key, titles, chosen.name, partial(_change, key), t(chosen.summary))
    if spec.dataset.name == "table":
        _own_table(values)
    _show(by_key, values, "alpha")
    if "priorities" in by_key:
        _priorities(by_key["priorities"], values["priorities"], task_texts(spec.flat(), spec.dataset.task_names))
    _show(by_key, values, "tasks")
    if "sigmas" in by_key:
        _sigmas(by_key["sigmas"], values["sigmas"])
    _show(by_key, values, "units")
    _show(by_key, values, "output_scale")
    if spec.dataset.advice:
        st.info(plain(t(spec.dataset.advice)), icon=":material/lightbulb:")
    length = "epochs" if values["epochs"] else "steps"
    _show(by_key, values, length)
    _show(by_key, values, "seed")
    race()
    with st.expander(t("More settings"), icon=":material/settings:"):
        for key in by_key:
            if key not in (*_PLACED, length) and (spec.dataset.counted or key not in ("epochs", "patience")):
                _show(by_key, values, key)


def beside() -> None:
    """Show α once more, for a phone: there the sidebar would hide the charts that it moves."""
    spec = session.spec()
    option = next((each for each in options(spec.dataset.name, spec.method.name) if each.key == "alpha"), None)
    values = spec.flat()
    if option is not None:
        with st.container(key="beside"):
            widget(option, values[option.key], _change, disabled=not option.counts(values), place="beside")


def _own_table(values: Mapping[str, Any]) -> None:
    """Show the table file and its targets, with a link to the page that changes them."""
    with st.container(border=True, gap="small"):
        st.text(Path(values["file"]).name or t("No file yet"))
        if values["targets"]:
            st.text(f"→ {', '.join(target_of(text)[0] for text in values['targets'])}")
        st.caption(t("Choose another file or other columns on the page"))
        st.page_link(navigation.your_data(), label=t("Your data"))


def _show(by_key: dict[str, Option], values: dict[str, Any], key: str) -> None:
    if key in by_key:
        widget(by_key[key], values[key], _change, disabled=not by_key[key].counts(values))


def _change(key: str, value: Any) -> None:
    """Change one key of the spec."""
    if session.change({key: value}):
        _steer()


def _choose_preset(name: str) -> None:
    session.choose_preset(name)
    _steer()


def _steer() -> None:
    """Have a change of a live option reach the watched run, at its next step."""
    known = titles()
    for key, value in session.steer().items():
        st.toast(
            plain(
                t("{setting}: {chosen} from the next step on.", setting=known[key], chosen=short(value) or t("none"))
            ),
            icon=":material/tune:",
        )


def _choice(
    label: str,
    key: str,
    titles: Mapping[str, str],
    chosen: str | None,
    changed: Callable[[str], object],
    text: str | None = None,
) -> None:
    """Show a list of names to choose from.

    titles: what is shown for each name.  chosen: the current name; None is shown as "Custom".
    changed: called with a newly chosen name.  text: the help.
    """
    widget_key = key_of(f"choice:{key}", key)
    show(widget_key, chosen or _CUSTOM)

    def report() -> None:
        current = widget_key == key_of(f"choice:{key}", key)
        if current and (name := st.session_state[widget_key]) != _CUSTOM:
            changed(name)

    def title(name: str) -> str:
        return t(_CUSTOM) if name == _CUSTOM else titles.get(name, name)

    names = [*([] if chosen else [_CUSTOM]), *titles]
    st.selectbox(label, names, key=widget_key, format_func=title, on_change=report, help=text)


def _priorities(option: Option, priorities: Sequence[float], tasks: Sequence[str]) -> None:
    """Show one log-scale slider per task, in an expander if there are many; the settings below take any number."""
    held = [float(p) for p in priorities] or [1.0] * len(tasks)

    def change(new: list[float]) -> None:
        # Where all are equal to 1 the option is left out, so that a preset is again what it was.
        _change(option.key, [] if all(p == 1 for p in new) else new)

    with st.expander(t(option.title), icon=":material/balance:") if len(tasks) > _FEW else nullcontext():
        _each(
            option, held, [t("Priority of {task}", task=plain(t(task))) for task in tasks], change, FINE, t(option.help)
        )


def _sigmas(option: Option, sigmas: Sequence[float]) -> None:
    """Show σ as a list to type, as one log-scale slider per task, and as a random sample of |N(0, s)|."""
    widget(option, sigmas, _change)
    with st.popover(t("Set each σ"), icon=":material/sliders:", width="stretch"):
        labels = [t("σ of task {number}", number=i + 1) for i in range(len(sigmas))]
        _each(option, sigmas, labels, partial(_change, option.key), WIDE)
    with st.popover(t("Sample σ"), icon=":material/casino:", width="stretch"):
        scale = st.number_input(t("s in |N(0, s)|"), min_value=0.01, max_value=10_000.0, value=10.0, key="sigma scale")
        seed = st.number_input(t("Seed for σ"), min_value=0, max_value=2**31 - 1, value=0, key="sigma seed")
        st.button(t("Draw σ"), on_click=_draw, args=(len(sigmas), scale, seed), key="sigma draw", width="stretch")


def _each(
    option: Option,
    values: Sequence[float],
    labels: Sequence[str],
    change: Callable[[list[float]], None],
    stops: Sequence[float],
    text: str | None = None,
) -> None:
    """Show one log-scale slider for each number of an option, beside the field that has them all.

    labels: one for each slider.  change: called with all numbers when one was moved.  stops, text: of `scale_slider`.
    """

    def moved(i: int, name: str, key: str) -> Callable[[float], None]:
        def changed(value: float) -> None:
            if key == key_of(name, option.key):
                renew(f"{place}:{option.key}" for place in PLACES)
                change([*values[:i], value, *values[i + 1 :]])

        return changed

    for i, (label, value) in enumerate(zip(labels, values, strict=True)):
        name = f"each:{i}:{option.key}"
        key = key_of(name, option.key)
        scale_slider(label, key, value, moved(i, name, key), stops, text)


def _draw(tasks: int, scale: float, seed: int) -> None:
    renew(["sigmas"])
    session.change({"sigmas": sample_sigmas(tasks, scale, seed)})
