"""The list of runs."""

from __future__ import annotations

from datetime import datetime

import pandas as pd
import streamlit as st

from gradnorm.charts import history
from gradnorm.export.citations import bibtex
from gradnorm.runs.records import RunInfo
from gradnorm.runs.store import UnknownRunError
from gradnorm.ui.gallery.test_images import gallery_link
from gradnorm.ui.lab import lab
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
    """Show the newest runs, with what can be done with the chosen ones."""
    st.subheader("Runs")
    found = lab().store.runs(SHOWN)
    if not found:
        st.info("No run yet. Start one in the Playground, or with `python -m gradnorm train`.")
        return
    event = st.dataframe(
        _table(found),
        hide_index=True,
        width="stretch",
        on_select="rerun",
        selection_mode="multi-row",
        # Ticks are kept by row: in a list that has changed they would mean other runs.
        key=f"catalogue {hash(tuple(info.run for info in found))}",
        column_config={
            "Run": st.column_config.LinkColumn(display_text=r"run=(.+)$", help="Opens the run in the Playground."),
            "Done": st.column_config.ProgressColumn(format="percent", min_value=0.0, max_value=1.0),
            "Steps": st.column_config.NumberColumn(format="localized"),
            "Started": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss"),
            "Seconds": st.column_config.NumberColumn(format="%.1f"),
        },
    )
    chosen = [found[i] for i in event.selection.rows if i < len(found)]  # pyright: ignore
    if chosen:
        _actions(chosen)
        _charts(chosen)
    else:
        st.caption("Tick rows to download or delete runs; a run's id opens it.")


def _table(found: list[RunInfo]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Run": [f"{base_path()}/?run={info.run}" for info in found],
            "What": [info.title for info in found],
            "State": [info.state if info.place is None else f"queued ({info.place})" for info in found],
            "Done": [info.steps / info.total if info.total else None for info in found],
            "Steps": [info.steps for info in found],
            "Seconds": [info.seconds for info in found],
            "Device": [info.device or "" for info in found],
            "Started": [datetime.fromtimestamp(info.created) for info in found],
            "Ending": [info.outcome.message if info.outcome else "" for info in found],
        }
    )


def _charts(chosen: list[RunInfo]) -> None:
    """Show the chosen runs' test loss over one another, and the weights of a single one."""
    snapshots = [lab().store.read(info.run) for info in chosen[:COMPARED]]
    columns = st.columns(2) if len(chosen) == 1 else [st.container()]
    figures = [history.test_loss(snapshots), *([history.weights(snapshots[0])] if len(chosen) == 1 else [])]
    for column, figure in zip(columns, figures, strict=True):
        column.plotly_chart(figure, config={"displaylogo": False, "modeBarButtonsToRemove": ["sendDataToCloud"]})
    if len(chosen) > COMPARED:
        st.caption(f"The first {COMPARED} of {len(chosen)} are drawn.")


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
        st.caption("Runs that are going on can't be deleted; stop them first.")
    if ended:
        with st.popover(f"Delete {len(ended)}", icon=":material/delete:"):
            st.write("Their records go for good.")
            st.button("Delete", type="primary", on_click=_delete, args=([i.run for i in ended],), key="delete")


def _delete(runs: list[str]) -> None:
    for run in runs:
        try:
            lab().store.delete(run)
        except (UnknownRunError, ValueError) as error:
            st.toast(str(error))
