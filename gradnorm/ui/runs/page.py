"""The Runs page: the list of runs, with downloads, citations and deletion."""

from __future__ import annotations

from datetime import datetime

import pandas as pd
import streamlit as st

from gradnorm.charts import history
from gradnorm.export.citations import bibtex
from gradnorm.runs.damage import sentence
from gradnorm.runs.faults import StoreError
from gradnorm.runs.records import RunInfo
from gradnorm.runs.store import UnknownRunError
from gradnorm.ui.gallery.test_images import gallery_link
from gradnorm.ui.lab import lab
from gradnorm.ui.markdown import plain
from gradnorm.ui.server import base_path

SHOWN, COMPARED = 500, 8
_FILES = {
    "csv": "CSV",
    "parquet": "Parquet",
    "json": "JSON",
    "tensorboard": "TensorBoard",
    "python": "Python script",
    "spec": "Spec",
}


def catalogue() -> None:
    """Show the newest runs, and actions and charts for the selected ones."""
    st.subheader("Runs")
    runs = lab().store.runs(SHOWN)
    _tell(lab().store.damage())
    _tell(lab().trouble)
    if not runs:
        st.info("No runs yet. Start one in the Playground, or with `python -m gradnorm train`.")
        return
    event = st.dataframe(
        _table(runs),
        hide_index=True,
        width="stretch",
        on_select="rerun",
        selection_mode="multi-row",
        # Streamlit keeps the selection by row number, which would mean other runs once the list has changed.
        key=f"catalogue {hash(tuple(info.run for info in runs))}",
        column_config={
            "Run": st.column_config.LinkColumn(display_text=r"run=(.+)$", help="Opens the run in the Playground."),
            "Done": st.column_config.ProgressColumn(format="percent", min_value=0.0, max_value=1.0),
            "Steps": st.column_config.NumberColumn(format="localized"),
            "Started": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss"),
            "Seconds": st.column_config.NumberColumn(format="%.1f"),
        },
    )
    chosen = [runs[i] for i in event.selection.rows if i < len(runs)]  # pyright: ignore
    if chosen:
        _actions(chosen)
        _charts(chosen)
    else:
        st.caption("Select rows to compare, download, cite or delete runs. Click a run's id to open it.")


def _table(runs: list[RunInfo]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Run": [f"{base_path()}/?run={info.run}" for info in runs],
            "What": [info.title for info in runs],
            "State": [info.state if info.place is None else f"queued ({info.place})" for info in runs],
            "Done": [info.steps / info.total if info.total else None for info in runs],
            "Steps": [info.steps for info in runs],
            "Seconds": [info.seconds for info in runs],
            "Device": [info.device or "" for info in runs],
            "Started": [datetime.fromtimestamp(info.created) for info in runs],
            "Ending": [info.outcome.message if info.outcome else "" for info in runs],
        }
    )


def _tell(wrong: str | None) -> None:
    if wrong:
        st.warning(plain(wrong), icon=":material/broken_image:")


def _charts(chosen: list[RunInfo]) -> None:
    """Show the chosen runs' test loss in one chart, and the weights if a single run is chosen."""
    snapshots = [lab().store.read(info.run) for info in chosen[:COMPARED]]
    for snapshot in snapshots:
        _tell(sentence(snapshot.info.run, snapshot.damage))
    columns = st.columns(2) if len(chosen) == 1 else [st.container()]
    figures = [history.test_loss(snapshots), *([history.weights(snapshots[0])] if len(chosen) == 1 else [])]
    for column, figure in zip(columns, figures, strict=True):
        column.plotly_chart(figure, config={"displaylogo": False, "modeBarButtonsToRemove": ["sendDataToCloud"]})
    if len(chosen) > COMPARED:
        st.caption(f"The charts show the first {COMPARED} of {len(chosen)} runs.")


def _actions(chosen: list[RunInfo]) -> None:
    if len(chosen) == 1:
        run, kinds = chosen[0].run, dict(_FILES)
        if chosen[0].recorded:
            del kinds["python"]
        links = [
            f'<a href="{base_path()}/live/{run}/export/{kind}" download>{label}</a>' for kind, label in kinds.items()
        ]
        st.html(f'<p class="gradnorm-links">Download {" · ".join(links)}</p>')
        gallery_link(chosen[0])
    with st.popover("Cite", icon=":material/format_quote:"):
        st.code(bibtex([str(info.spec.get("method")) for info in chosen]), language="bibtex", wrap_lines=True)
    ended = [info for info in chosen if info.ended]
    if len(ended) < len(chosen):
        st.caption("Unfinished runs can't be deleted. Stop them first.")
    if ended:
        with st.popover(f"Delete {len(ended)}", icon=":material/delete:"):
            st.write("Their records and checkpoints are deleted for good.")
            st.button("Delete", type="primary", on_click=_delete, args=([i.run for i in ended],), key="delete")


def _delete(runs: list[str]) -> None:
    for run in runs:
        try:
            lab().store.delete(run)
        except (UnknownRunError, ValueError, StoreError) as error:
            st.toast(plain(str(error)))
