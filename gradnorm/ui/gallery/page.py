"""Predictions beside the ground truth: which run, which picture, which checkpoint, and a row a contender."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from gradnorm.config.spec import RunSpec
from gradnorm.config.variants import labels
from gradnorm.runs.records import RunInfo
from gradnorm.runs.store import UnknownRunError
from gradnorm.ui.gallery.grid import Row, hang, showcase
from gradnorm.ui.gallery.test_images import has_pictures
from gradnorm.ui.lab import lab
from gradnorm.ui.live.panel import contenders
from gradnorm.ui.location import assets
from gradnorm.ui.widgets import show

ASSETS = assets()
SHOWN = 500
SECONDS = 4.0
NEWEST = "newest"
# What the tab last showed, so that it is there again after a look at another page.
_LAST = "gallery.last"
_STEP, _STEPS = "gallery-step", "gallery.steps"


def gallery() -> None:
    """Show the run that the address names, `?run=…&image=3&step=400`, or the newest one of pictures."""
    st.html(ASSETS / "gallery.css")
    st.subheader("Gallery")
    query = _query()
    info = _chosen(query.get("run"))
    if info is None:
        return
    left, right = st.columns([2, 3])
    with left:
        step = _step(info, query.get("step"))
    rows = _rows(info, step)
    # Also where there is nothing yet to see: it may come.
    if step == NEWEST and any(not row.info.ended for row in rows):
        st.fragment(_follow, run_every=SECONDS)([row.info.run for row in rows], _state(rows))
    try:
        spec = RunSpec.parse(info.spec)
        shown = showcase(spec.dataset.name, spec.dataset.model_dump_json(), spec.seed)
    except (ValueError, OSError) as error:  # SpecError and DataError are ValueErrors
        st.error(f"The test pictures cannot be shown. {error}", icon=":material/error:")
        return
    with right:
        image = _image(query.get("image"), len(shown))
    _remember({"run": info.run, "image": str(image), "step": str(step)})
    hang(shown, rows, image - 1, spec.seed)


def _query() -> dict[str, str]:
    given = dict(st.query_params)
    return given or dict(st.session_state.get(_LAST, {}))


def _remember(shown: dict[str, str]) -> None:
    wanted = {key: value for key, value in shown.items() if value != NEWEST}
    st.session_state[_LAST] = wanted
    if dict(st.query_params) != wanted:
        st.query_params.from_dict(wanted)


def _set(key: str, value: object) -> None:
    st.query_params[key] = str(value)


def _chosen(wanted: str | None) -> RunInfo | None:
    """Show the runs to choose from, a race as one, and return the one to look at."""
    found = [info for info in lab().store.runs(SHOWN) if has_pictures(info.spec)]
    if not found:
        st.info(
            "No run of pictures yet. Start one in the Playground, or with `python -m gradnorm train --dataset overlay`."
        )
        return None
    watched = next((info for info in found if info.run == wanted), None)
    if wanted is not None and watched is None:
        st.warning(f"There is no run {wanted[:40]} of pictures here. This is the newest.", icon=":material/signpost:")
    watched = watched or found[0]
    entries: dict[str, list[RunInfo]] = {}
    for info in found:
        entries.setdefault(info.race or info.run, []).append(info)
    # The browser keeps what a widget showed by its place among the options: others need another widget.
    key = f"gallery-run {hash(tuple(entries))}"
    show(key, watched.race or watched.run)
    st.selectbox(
        "Run",
        list(entries),
        key=key,
        format_func=lambda entry: _entry(entries[entry]),
        on_change=lambda: _open(entries[st.session_state[key]][-1].run),
    )
    return watched


def _entry(members: Sequence[RunInfo]) -> str:
    """Return what a run, or a race, is called in the list."""
    first = members[-1]
    started = datetime.fromtimestamp(first.created).strftime("%d %b, %H:%M")
    if len(members) == 1:
        return f"{first.title} · {started}"
    names = ", ".join(labels([info.spec for info in reversed(members)]))
    return f"{first.title.split(' · ')[0]} · race of {names} · {started}"


def _open(run: str) -> None:
    # Another run has other checkpoints; the picture may be compared.
    st.query_params.pop("step", None)
    _set("run", run)


def _step(info: RunInfo, wanted: str | None) -> int | str:
    """Show the kept checkpoints of a run and return the chosen one's step, or NEWEST."""
    steps = lab().store.checkpoints.steps(info.run)
    if len(steps) < 2:
        if not steps:
            _nothing_kept(info)
        return NEWEST
    options: list[int | str] = [*steps[:-1], NEWEST]
    chosen: int | str = NEWEST
    if wanted is not None and wanted.isdecimal() and int(wanted) < steps[-1]:
        chosen = min(steps[:-1], key=lambda step: abs(step - int(wanted)))
    if st.session_state.get(_STEPS) != options or st.session_state.get(_STEP) != chosen:
        # The browser keeps the place of the thumb, which is another step once there are more of them.
        st.session_state[_STEPS], st.session_state[_STEP] = options, chosen
    st.select_slider(
        "Checkpoint",
        options,
        key=_STEP,
        format_func=lambda step: f"newest, {steps[-1]:,}" if step == NEWEST else f"{step:,}",
        on_change=lambda: _set("step", st.session_state[_STEP]),
        help="The step after which the network is shown. The newest follows the training.",
    )
    return chosen


def _nothing_kept(info: RunInfo) -> None:
    every = int(info.spec.get("checkpoint_every", 0))
    if not every:
        st.info("This run keeps no checkpoints: Checkpoint every is 0. Set it to 200, say, and train again.")
    elif info.ended:
        st.info("This run ended before its first checkpoint. Set Checkpoint every to fewer steps and train again.")
    else:
        st.info(f"The first checkpoint comes at step {every:,}; this page shows it then.", icon=":material/schedule:")


def _rows(info: RunInfo, step: int | str) -> list[Row]:
    found: list[Row] = []
    for each in contenders(info):
        try:
            member = lab().store.info(each["run"])
        except UnknownRunError:  # deleted since
            continue
        found.append(Row(member, each["label"], _at(member, step)))
    return found


def _at(info: RunInfo, step: int | str) -> int | None:
    """Return the newest kept step of a contender that is not beyond the chosen one."""
    kept = lab().store.checkpoints.steps(info.run)
    return max((own for own in kept if step == NEWEST or own <= int(step)), default=None)


def _image(wanted: str | None, count: int) -> int:
    """Show the slider over the test pictures and return the number of the chosen one, from 1."""
    number = int(wanted) if wanted is not None and wanted.isdecimal() else 1
    number = min(max(number, 1), count)
    if count < 2:
        return 1
    key = f"gallery-image {count}"
    show(key, number)
    st.slider(
        f"Test picture, of {count:,}",
        1,
        count,
        key=key,
        on_change=lambda: _set("image", st.session_state[key]),
        help="No network has been trained on these. Arrow keys go to the next one.",
    )
    return number


def _state(rows: Sequence[Row]) -> list[tuple[int | None, bool]]:
    return [(row.step, row.info.ended) for row in rows]


def _follow(runs: Sequence[str], drawn: list[tuple[int | None, bool]]) -> None:
    """Draw the page again once a contender has a newer checkpoint or has ended."""
    try:
        infos = [lab().store.info(run) for run in runs]
    except UnknownRunError:
        st.rerun()
    if [(_at(info, NEWEST), info.ended) for info in infos] != drawn:
        st.rerun()
