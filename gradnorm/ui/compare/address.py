"""The address of the Compare page, which holds all that it shows."""

from __future__ import annotations

import streamlit as st

from gradnorm.ui import address, session
from gradnorm.ui.compare.view import View, read

# What this tab last showed, so that it is there again after a visit to another page.
_LAST = "compare.last"


def shown() -> tuple[View, list[str]]:
    """Return what the address asks for, or else what this tab last showed; and what in it can't be used."""
    return read(address.all_values() if address.is_meant() else st.session_state.get(_LAST, {}))


def show(view: View) -> None:
    """Write a view into the address."""
    wanted = view.query()
    st.session_state[_LAST] = {key: [value] if isinstance(value, str) else value for key, value in wanted.items()}
    address.write(wanted, arrived=session.arrived())
