"""The Studies page: the list of studies with a form to start one, or the study that the address names."""

from __future__ import annotations

from datetime import datetime

import pandas as pd
import streamlit as st

from gradnorm.config.spec import SpecError
from gradnorm.runs.studies import StudyInfo, UnknownStudyError
from gradnorm.studies.registry import KINDS, study_of
from gradnorm.ui import address, session
from gradnorm.ui.lab import lab, studies
from gradnorm.ui.markdown import plain
from gradnorm.ui.server import base_path
from gradnorm.ui.studies.start import start_form
from gradnorm.ui.studies.view import view
from gradnorm.ui.words import on_page, t

# What this tab last showed, so that it is there again after a visit to another page.
_LAST = "gradnorm.study"


def studies_page() -> None:
    """Show the study that the address names, `?study=ID`, or else all studies."""
    studies().start()
    if trouble := lab().trouble:
        st.warning(plain(trouble), icon=":material/broken_image:")
    wanted = address.query().get("study") if address.is_meant() else st.session_state.get(_LAST)
    if wanted is not None:
        try:
            info = lab().store.studies.info(str(wanted))
        except UnknownStudyError as error:
            session.tell(on_page(error))
            open_study(None)
        else:
            open_study(info.study)
            view(info, lambda: open_study(None))
            return
    st.subheader(t("Studies"))
    if fault := session.fault():
        st.error(plain(fault), icon=":material/error:")
    left, right = st.columns([3, 2], gap="large")
    with right:
        start_form(open_study)
    with left:
        _list(lab().store.studies.all())


def open_study(study: str | None) -> None:
    """Show this study from now on; None shows the list."""
    st.session_state[_LAST] = study
    address.write({"study": study} if study is not None else {}, arrived=session.arrived())


def _list(infos: list[StudyInfo]) -> None:
    if not infos:
        st.info(t("No studies yet. Start one here, or with `python -m gradnorm study`."))
        return
    table = pd.DataFrame(
        {
            "Study": [f"{base_path()}/studies?study={info.study}" for info in infos],
            "What": [info.title for info in infos],
            "State": [t(info.state) for info in infos],
            "Done": [_done(info) for info in infos],
            "Started": [datetime.fromtimestamp(info.created) for info in infos],
            "Kind": [t(KINDS[info.kind].title) if info.kind in KINDS else info.kind for info in infos],
        }
    )
    config = st.column_config
    st.dataframe(
        table,
        hide_index=True,
        width="stretch",
        column_config={
            "Study": config.LinkColumn(t("Study"), display_text=r"study=(.+)$", help=t("Opens the study.")),
            "What": t("What"),
            "State": t("State"),
            "Done": config.ProgressColumn(t("Done"), format="percent", min_value=0.0, max_value=1.0),
            "Started": config.DatetimeColumn(t("Started"), format="YYYY-MM-DD HH:mm:ss"),
            "Kind": t("Kind"),
        },
    )


def _done(info: StudyInfo) -> float | None:
    """Return what part of its steps a study has taken; None where this build can't tell how many there will be."""
    if info.state == "finished":
        return 1.0
    try:
        total = study_of(info.kind, info.spec).steps
    except SpecError:
        return None
    return min(1.0, lab().store.studies.steps(info.study) / total)
