"""The Gallery page: choose run, checkpoint and test picture; see predictions beside the ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from gradnorm.config.spec import RunSpec
from gradnorm.config.variants import labels
from gradnorm.runs.records import RunInfo
from gradnorm.runs.store import UnknownRunError
from gradnorm.runs.titles import title_text
from gradnorm.ui import address, session
from gradnorm.ui.gallery.grid import GridRow, load_test_images, show_grid
from gradnorm.ui.gallery.test_images import has_pictures
from gradnorm.ui.lab import lab
from gradnorm.ui.live.family import contenders
from gradnorm.ui.location import assets
from gradnorm.ui.markdown import plain
from gradnorm.ui.widgets import show
from gradnorm.ui.words import language, number, t

ASSETS = assets()
SHOWN = 500
SECONDS = 4.0
NEWEST = "newest"
# What this tab last showed, so that it is there again after a visit to another page.
_LAST = "gallery.last"
_STEP, _STEPS = "gallery-step", "gallery.steps"


def gallery() -> None:
    """Show the run that the address names, `?run=…&image=3&step=400`, or else the newest run on pictures."""
    st.html(ASSETS / "gallery.css")
    st.subheader(t("Gallery"))
    query = _query()
    info = _chosen(query.get("run"))
    if info is None:
        return
    left, right = st.columns([2, 3])
    with left:
        step = _step(info, query.get("step"))
    rows = _rows(info, step)
    # Also while there is nothing to see yet, since a checkpoint may come.
    if step == NEWEST and any(not row.info.ended for row in rows):
        st.fragment(_follow, run_every=SECONDS)([row.info.run for row in rows], _state(rows))
    try:
        spec = RunSpec.parse(info.spec)
        with st.spinner(t("Loading the test pictures …"), show_time=False):
            images = load_test_images(spec.dataset.name, spec.dataset.model_dump_json(), spec.seed)
    except (ValueError, OSError) as error:  # SpecError and DataError are ValueErrors
        st.error(plain(t("The test pictures cannot be shown. {error}", error=error)), icon=":material/error:")
        return
    with right:
        image = _image(query.get("image"), len(images))
    _remember({"run": info.run, "image": str(image), "step": str(step)})
    show_grid(images, rows, image - 1, spec.seed)


def _query() -> dict[str, str]:
    return address.query() if address.is_meant() else dict(st.session_state.get(_LAST, {}))


def _remember(shown: dict[str, str]) -> None:
    wanted = {key: value for key, value in shown.items() if value != NEWEST}
    st.session_state[_LAST] = wanted
    address.write(wanted, arrived=session.arrived())


def _set(key: str, value: object) -> None:
    st.query_params[key] = str(value)


def _chosen(wanted: str | None) -> RunInfo | None:
    """Show the list of runs, a race as one entry, and return the chosen run; None if there is none."""
    runs = [info for info in lab().store.runs(SHOWN) if has_pictures(info.spec)]
    if not runs:
        st.info(
            t(
                "No run on pictures yet. Start one in the Playground, or with "
                "`python -m gradnorm train --dataset overlay`."
            )
        )
        return None
    watched = next((info for info in runs if info.run == wanted), None)
    if wanted is not None and watched is None:
        st.warning(
            t("There is no run {run} on pictures here. This page shows the newest.", run=wanted[:40]),
            icon=":material/signpost:",
        )
    watched = watched or runs[0]
    entries: dict[str, list[RunInfo]] = {}
    for info in runs:
        entries.setdefault(info.race or info.run, []).append(info)
    # The browser remembers a choice by its position in the list, so another list needs another widget.
    key = f"gallery-run {hash(tuple(entries))}"
    show(key, watched.race or watched.run)
    st.selectbox(
        t("Run"),
        list(entries),
        key=key,
        format_func=lambda entry: _entry(entries[entry]),
        on_change=lambda: _open(entries[st.session_state[key]][-1].run),
    )
    return watched


def _entry(members: Sequence[RunInfo]) -> str:
    """Return the title of a run, or of a race, in the list."""
    first = members[-1]
    started = datetime.fromtimestamp(first.created).strftime("%Y-%m-%d, %H:%M")
    if len(members) == 1:
        return f"{t(title_text(first))} · {started}"
    names = ", ".join(map(t, labels([info.spec for info in reversed(members)])))
    return f"{first.title.split(' · ')[0]} · {t('race of {names}', names=names)} · {started}"


def _open(run: str) -> None:
    # Another run has other checkpoints, but the picture can stay.
    st.query_params.pop("step", None)
    _set("run", run)


def _step(info: RunInfo, wanted: str | None) -> int | str:
    """Show a slider over the run's checkpoints and return the chosen step, or NEWEST."""
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
        # The browser remembers the slider's position, which means another step once there are more checkpoints.
        st.session_state[_STEPS], st.session_state[_STEP] = options, chosen
    st.select_slider(
        t("Checkpoint"),
        options,
        key=_STEP,
        format_func=lambda step: t("newest, {step:,}", step=steps[-1]) if step == NEWEST else number(step, ","),
        on_change=lambda: _set("step", st.session_state[_STEP]),
        help=t("Shows the network as it was after this step. “Newest” follows the training."),
    )
    return chosen


def _nothing_kept(info: RunInfo) -> None:
    every = int(info.spec.get("checkpoint_every", 0))
    if not every:
        st.info(t("This run keeps no checkpoints, because Checkpoint every is 0. Set it to 200, say, and train again."))
    elif info.ended:
        st.info(t("This run ended before its first checkpoint. Set Checkpoint every to fewer steps and train again."))
    else:
        st.info(
            t("The first checkpoint comes at step {step:,}. This page will then show it.", step=every),
            icon=":material/schedule:",
        )


def _rows(info: RunInfo, step: int | str) -> list[GridRow]:
    rows: list[GridRow] = []
    for each in contenders(lab().store, info, language()):
        try:
            member = lab().store.info(each["run"])
        except UnknownRunError:  # deleted since
            continue
        rows.append(GridRow(member, each["label"], _at(member, step)))
    return rows


def _at(info: RunInfo, step: int | str) -> int | None:
    """Return the step of the run's newest checkpoint up to the chosen step, or None if there is none."""
    kept = lab().store.checkpoints.steps(info.run)
    return max((own for own in kept if step == NEWEST or own <= int(step)), default=None)


def _image(wanted: str | None, count: int) -> int:
    """Show a slider over the test pictures and return the number of the chosen one, from 1."""
    number = int(wanted) if wanted is not None and wanted.isdecimal() else 1
    number = min(max(number, 1), count)
    if count < 2:
        return 1
    key = f"gallery-image {count}"
    show(key, number)
    st.slider(
        t("Test picture (1 to {count:,})", count=count),
        1,
        count,
        key=key,
        on_change=lambda: _set("image", st.session_state[key]),
        help=t("The networks have not been trained on these pictures. The arrow keys move to the next one."),
    )
    return number


def _state(rows: Sequence[GridRow]) -> list[tuple[int | None, bool]]:
    return [(row.step, row.info.ended) for row in rows]


def _follow(runs: Sequence[str], drawn: list[tuple[int | None, bool]]) -> None:
    """Run the page again once a contender has a newer checkpoint or has ended. drawn: the state that is shown."""
    try:
        infos = [lab().store.info(run) for run in runs]
    except UnknownRunError:
        st.rerun()
    if [(_at(info, NEWEST), info.ended) for info in infos] != drawn:
        st.rerun()
