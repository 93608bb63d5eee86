"""What should be said of a run while it goes on: a task that cannot improve."""

from __future__ import annotations

import streamlit as st

from gradnorm.config.spec import methods
from gradnorm.lab.lab import NotHereError
from gradnorm.runs.records import RunInfo
from gradnorm.runs.store import UnknownRunError
from gradnorm.runs.stuck_tasks import stuck
from gradnorm.ui import session
from gradnorm.ui.lab import lab

SECONDS = 3.0


def notice(info: RunInfo | None) -> None:
    """Name the tasks that are stuck, and offer to hold their weights; looked at anew while the run goes on."""
    method = methods().get(str(info.spec.get("method"))) if info else None
    if info is None or method is None or not method.sets_targets:
        return
    st.fragment(_stuck, run_every=None if info.ended else SECONDS)(info.run)


def _stuck(run: str) -> None:
    store = lab().store
    try:
        info = store.info(run)
        evaluations = store.read(run, info.steps, evaluated_since=-1).evaluations
    except UnknownRunError:
        return
    held = _held(info)
    for found in stuck(evaluations):
        name, number = info.tasks[found.task], found.task + 1
        if number in held:
            continue
        st.warning(found.sentence(name), icon=":material/trending_flat:")
        if not info.ended and lab().steers(run):
            if st.button(f"Hold the weight of {name}", key=f"hold {number}"):
                _hold(run, [*held, number])
                st.rerun()  # the whole page: its address and its settings change
        else:
            st.caption(f"Held tasks = {number} keeps its weight in the next run (More settings).")


def _held(info: RunInfo) -> list[int]:
    """Return the numbers of the held tasks: as set when the run began, or since, from this tab."""
    flat = session.spec().flat()
    given = flat.get("hold", ()) if flat.get("method") == info.spec.get("method") else ()
    return sorted({*map(int, info.spec.get("hold", ())), *map(int, given)})


def _hold(run: str, numbers: list[int]) -> None:
    try:
        lab().retune(run, hold=numbers)
    except NotHereError as error:
        session.tell(str(error))
        return
    session.change({"hold": numbers})
