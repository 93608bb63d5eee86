"""A comparison as one HTML file that needs nothing else: tables, and figures with plotly's script inside."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import plotly.graph_objects as go
from plotly.io import to_html

from gradnorm.comparison import tables
from gradnorm.comparison.compared import Comparison
from gradnorm.comparison.measures import Measure
from gradnorm.comparison.scores import Statistic
from gradnorm.comparison.tables import Table

_STYLE = """
body { margin: 0 auto; max-width: 75rem; padding: 1.5rem; color: #1b2733; background: #ffffff;
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid #d9e0e6; padding: 0.35rem 0.7rem; text-align: left; white-space: nowrap; }
.fault { border-left: 4px solid #d55e00; padding-left: 0.7rem; }
section { margin-top: 2rem; }
.note { color: #4a5763; font-size: 0.9rem; }
"""
_CONFIG = {"displaylogo": False, "responsive": True}
# A button under each figure for each kind of picture that plotly makes in the browser.
_PICTURES = """
for (const figure of document.querySelectorAll(".js-plotly-plot")) {
  for (const format of ["png", "svg"]) {
    const button = document.createElement("button");
    button.textContent = format.toUpperCase();
    button.onclick = () => Plotly.downloadImage(figure, { format, filename: figure.closest("section").id });
    figure.closest("section").append(button, " ");
  }
}
"""


def as_html(
    comparison: Comparison,
    statistic: Statistic,
    measures: Sequence[Measure],
    figures: Sequence[Any],
    faults: Sequence[str] = (),
) -> str:
    """Return the report as a page that opens from a file, without a network.

    measures: the columns of the tables.  figures: plotly's, drawn on white.
    faults: what could not be compared, as sentences.
    """
    runs = sum(len(group.runs) for group in comparison.groups)
    title = f"{runs} runs compared" if runs != 1 else "One run"
    parts = [f"<h1>{title}</h1>", *(f'<p class="fault">{escape(fault)}</p>' for fault in faults)]
    parts += ["<h2>Scores</h2>", html_table(tables.scores(comparison, statistic, measures))]
    if differences := tables.differences(comparison, statistic, measures):
        parts += ["<h2>Paired differences</h2>", html_table(differences)]
    parts += [f'<p class="note">{escape(note)}</p>' for note in tables.notes(comparison, statistic)]
    for i, figure in enumerate(figures):
        paper = go.Figure(figure).update_layout(template="plotly_white")
        plot = to_html(paper, full_html=False, include_plotlyjs=i == 0, config=_CONFIG, div_id=f"plot-{i + 1}")
        parts.append(f'<section id="figure-{i + 1}">{plot}</section>')
    if differs := tables.differs(comparison):
        parts += ["<h2>Options that differ</h2>", html_table(differs)]
    parts += ["<h2>Runs</h2>", html_table(tables.runs(comparison))]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<style>{_STYLE}</style></head>\n<body>{''.join(parts)}<script>{_PICTURES}</script></body></html>\n"
    )


def html_table(table: Table) -> str:
    """Return a table as HTML, the best of each column in bold, in a frame of class "wide" that can be scrolled."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.head)
    body = ""
    for i, row in enumerate(table.rows):
        cells = [f"<b>{escape(cell)}</b>" if (i, j) in table.best else escape(cell) for j, cell in enumerate(row)]
        body += f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    return f'<div class="wide" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
