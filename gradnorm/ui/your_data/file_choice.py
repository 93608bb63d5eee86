"""The file of the Your data page: an upload, a table to try, or a file on the server."""

from __future__ import annotations

from typing import Any

import streamlit as st

from gradnorm.config.spec import RunSpec, preset
from gradnorm.datasets.by_path.own_table import OwnTable, target_of
from gradnorm.datasets.readers.folders import UPLOADED, DataError, data_root, upload_root
from gradnorm.ui import session
from gradnorm.ui.widgets import show
from gradnorm.ui.words import t
from gradnorm.ui.your_data import uploads
from gradnorm.ui.your_data.samples import SAMPLES, TEMPLATE, Sample


def own_table() -> OwnTable:
    """Return the session's table, or one without a file if the session has another data set."""
    dataset = session.spec().dataset
    return dataset if isinstance(dataset, OwnTable) else OwnTable.model_validate({})


def choose_file(own: OwnTable) -> None:
    """Show how a file is chosen: an upload, a table to try, or a file on the server. own: the session's table."""
    st.file_uploader(
        t("Upload a CSV or Parquet file"),
        type=["csv", "tsv", "txt", "gz", "parquet"],
        key="upload",
        on_change=_take_upload,
        help=t("The first row holds the column names; each other row is an example. The file stays on this server."),
    )
    _samples()
    if not data_root().is_dir():
        return
    chosen = own.file if own.file and not own.file.startswith(UPLOADED) else None
    known = uploads.files()
    show("table file", chosen)
    st.selectbox(
        t("Or a file on the server"),
        [*known, *([chosen] if chosen and chosen not in known else [])],
        key="table file",
        placeholder=t("in its data folder"),
        accept_new_options=True,
        on_change=lambda: _choose(st.session_state["table file"] or ""),
        help=t("A path inside the data folder, which whoever runs the server chooses with GRADNORM_DATA."),
    )


def _samples() -> None:
    """Show the tables to try, and the template."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="samples"):
        st.markdown(t("No file at hand? Try"), width="content")
        for sample in SAMPLES:
            st.button(
                t(sample.title),
                icon=":material/table_chart:",
                on_click=_try,
                args=(sample,),
                key=f"sample {sample.name}",
                help=t("A part of a table that comes in the box, with {count} targets.", count=len(sample.targets)),
            )
        st.download_button(
            t("Template"),
            TEMPLATE,
            "template.csv",
            "text/csv",
            icon=":material/download:",
            type="tertiary",
            key="template",
            on_click="ignore",
            help=t("A small CSV file that shows the form: names in the first row, then an example a row."),
        )


def _try(sample: Sample) -> None:
    if _keep(sample.name, sample.content):
        session.change({"targets": list(sample.targets), "inputs": []})


def _take_upload() -> None:
    upload = st.session_state["upload"]
    if upload is not None:
        _keep(upload.name, upload.getvalue())


def _keep(name: str, content: bytes) -> bool:
    """Store a file, choose it, and return whether that worked."""
    try:
        _choose(uploads.keep(name, content))
    except DataError as error:
        session.tell(said(error))
        return False
    return True


def said(error: DataError) -> str:
    """Return what is wrong, without where the server keeps its files."""
    text = str(error)
    for folder, words in ((upload_root(), t("the folder of uploads")), (data_root(), t("the data folder"))):
        text = text.replace(str(folder), words)
    return text


def _choose(file: str) -> None:
    """Take another file; targets and inputs that it also has stay chosen."""
    own = own_table()
    start = {} if isinstance(session.spec().dataset, OwnTable) else _start_with()
    try:
        names = {column.name for column in OwnTable.model_validate({"file": file}).table().columns}
    except (DataError, ValueError):
        names = set[str]()  # `_read` shows what is wrong with the file
    session.change(
        {
            **start,
            "dataset": "table",
            "file": file,
            "targets": [text for text in own.targets if target_of(text)[0] in names],
            "inputs": [name for name in own.inputs if name in names],
            "group": own.group if own.group in names else "",
        }
    )


def _start_with() -> dict[str, Any]:
    """Return the settings recommended for a table, except those that the user has changed."""
    spec, start = session.spec().flat(), preset(session.START).flat()
    default = RunSpec.parse({"dataset": spec["dataset"], "method": spec["method"]}).flat()
    suits = {
        key: value
        for key, value in OwnTable.recommended.items()
        if key in spec and spec[key] in (default[key], start.get(key))
    }
    if spec["steps"] not in (default["steps"], start["steps"]):
        suits.pop("epochs", None)
    return suits
