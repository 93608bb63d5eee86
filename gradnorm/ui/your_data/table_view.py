"""The columns of a table: type, values, and what each is used for."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from gradnorm.common.texts import later
from gradnorm.datasets.by_path.own_table import OwnTable
from gradnorm.datasets.readers.folders import DataError
from gradnorm.datasets.readers.table import Table
from gradnorm.ui.words import t

_KINDS = {
    "text": later("text or identifier"),
    "number": later("number"),
    "class": later("class"),
    "empty": later("empty"),
}


def columns_view(own: OwnTable, table: Table) -> None:
    """Show one row for each column of `table`: name, use, type, values. own: the chosen targets and inputs."""
    try:
        inputs = own.input_names()
    except DataError:  # shown beside the choice of inputs
        inputs = ()
    uses = {**dict.fromkeys(inputs, t("input")), **dict.fromkeys(own.task_names, t("target"))}
    st.text(t("{name}: {rows:,} rows, {count:,} columns", name=table.name, rows=table.rows, count=len(table.columns)))
    shown = {
        t("Column"): [column.name for column in table.columns],
        t("Use"): [uses.get(c.name, t("groups") if c.name == own.group else "") for c in table.columns],
        t("Type"): [t(_KINDS.get(column.kind, column.kind)) for column in table.columns],
        t("Values"): [column.example for column in table.columns],
        t("Distinct"): [column.distinct for column in table.columns],
        t("Missing"): [column.missing for column in table.columns],
    }
    if any(column.note for column in table.columns):
        shown[t("Read as")] = [column.note for column in table.columns]
    st.dataframe(
        pd.DataFrame(shown),
        hide_index=True,
        width="stretch",
        height=min(38 + 35 * len(table.columns), 530),
        column_config={
            name: st.column_config.NumberColumn(format="localized") for name in (t("Distinct"), t("Missing"))
        },
    )
