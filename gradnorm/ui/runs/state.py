"""What the Runs page shows, as its address says; and what was just put into the trash."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import streamlit as st

from gradnorm.runs.database import PASSING
from gradnorm.runs.faults import StoreError
from gradnorm.runs.labels import LabelError
from gradnorm.runs.query import Query
from gradnorm.runs.store import UnknownRunError
from gradnorm.ui import address, session
from gradnorm.ui.lab import lab
from gradnorm.ui.markdown import plain

# What this tab last showed, so that it is there again after a visit to another page.
_LAST = "runs.last"
_UNDO = "runs.undo"
_MOUNTS = "runs.mounts"


def query() -> Query:
    """Return what the address asks for."""
    found = Query.parse(address.query() if address.is_meant() else dict(st.session_state.get(_LAST, {})))
    _write(found)
    return found


def change(**changes: Any) -> None:
    """Change the query, and so the address; a new list begins on its first page."""
    _write(replace(Query.parse(address.query()), **{"page": 1, **changes}))


def clear() -> None:
    """Take all conditions away; order and trash stay."""
    now = Query.parse(address.query())
    _write(Query(sort=now.sort, trashed=now.trashed))


def _write(wanted: Query) -> None:
    st.session_state[_LAST] = wanted.address()
    address.write(wanted.address(), arrived=session.arrived())


def attempt(action: Callable[[], object]) -> bool:
    """Do something with the store and return whether that worked; if not, say why."""
    try:
        action()
    except (LabelError, UnknownRunError, StoreError, *PASSING) as error:
        st.toast(plain(str(error)), icon=":material/error:")
        return False
    return True


def trash(runs: Sequence[str]) -> None:
    """Put runs into the trash, and offer to take that back."""
    if attempt(lambda: lab().store.catalogue.trash(runs)):
        st.session_state[_UNDO] = list(runs)


def restore(runs: Sequence[str]) -> None:
    """Take runs out of the trash."""
    if attempt(lambda: lab().store.catalogue.restore(runs)):
        forget()


def forget() -> None:
    """No longer offer to take back what was put into the trash."""
    st.session_state.pop(_UNDO, None)


def undoable() -> list[str]:
    """Return the runs that were just put into the trash."""
    return cast("list[str]", st.session_state.get(_UNDO, []))


def mounts() -> int:
    """Return how often the table was made anew."""
    return cast("int", st.session_state.get(_MOUNTS, 0))


def remount() -> None:
    """Make the table anew, so that it shows what is stored in place of what was typed into it."""
    st.session_state[_MOUNTS] = mounts() + 1
