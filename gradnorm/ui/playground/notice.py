"""A warning while a run trains: of a task that cannot improve, or whose first loss was near 0."""

from __future__ import annotations

from functools import lru_cache

import streamlit as st

from gradnorm.config.spec import methods
from gradnorm.config.variants import task_texts
from gradnorm.lab.lab import NotHereError
from gradnorm.runs.damage import sentence
from gradnorm.runs.faults import StoreError
from gradnorm.runs.records import RunInfo
from gradnorm.runs.store import UnknownRunError
from gradnorm.runs.troubles import troubles
from gradnorm.ui import session
from gradnorm.ui.lab import lab
from gradnorm.ui.markdown import plain
from gradnorm.ui.words import on_page, t

SECONDS = 3.0


def notice(info: RunInfo) -> None:
    """Name the run's tasks in trouble and offer to hold their weights; checked every `SECONDS` while the run trains."""
    if info.ended and (told := _damage(info.run, info.steps)):
        st.warning(plain(told), icon=":material/broken_image:")
    method = methods().get(str(info.spec.get("method")))
    if method is None or not method.sets_targets:
        return
    st.fragment(_troubles, run_every=None if info.ended else SECONDS)(info.run)


@lru_cache(maxsize=64)
def _damage(run: str, steps: int) -> str:
    """Return what of the records of a run that has ended after `steps` steps is damaged, as a sentence."""
    return sentence(run, lab().store.read(run).damage)


def _troubles(run: str) -> None:
    store = lab().store
    try:
        info, told = store.info(run), troubles(store, run)
    except (UnknownRunError, StoreError):  # the page says what is wrong with the home
        return
    held = _held(info)
    for trouble in told:
        name, number = t(task_texts(info.spec, info.tasks)[trouble.task]), trouble.task + 1
        if number in held:
            continue
        with st.container(gap="small", key=f"trouble {number}"):
            st.warning(plain(t(trouble.sentence)), icon=":material/trending_flat:")
            if not trouble.hold:
                continue
            if not info.ended and lab().steers(run):
                if st.button(t("Hold the weight of {name}", name=plain(name)), key=f"hold {number}"):
                    _hold(run, [*held, number])
                    st.rerun()  # the whole page, since address and settings change
            else:
                st.caption(
                    t(
                        "To keep its weight fixed in the next run, set Held tasks to {number} under More settings.",
                        number=number,
                    )
                )


def _held(info: RunInfo) -> list[int]:
    """Return the numbers, from 1, of the held tasks: those of the run's spec and those held from this tab since."""
    flat = session.spec().flat()
    from_tab = flat.get("hold", ()) if flat.get("method") == info.spec.get("method") else ()
    return sorted({*map(int, info.spec.get("hold", ())), *map(int, from_tab)})


def _hold(run: str, numbers: list[int]) -> None:
    try:
        lab().retune(run, hold=numbers)
    except NotHereError as error:
        session.tell(on_page(error))
        return
    session.change({"hold": numbers})
