"""The command that lays runs side by side."""

from __future__ import annotations

import argparse
import sys

from gradnorm.cli.output import write_json, write_text
from gradnorm.config.spec import SpecError


def compare(arguments: argparse.Namespace) -> int:
    """Print the comparison of runs, and write it as files. A run that can't be read is told and left out."""
    from gradnorm.comparison import compared, tables
    from gradnorm.comparison.loading import load
    from gradnorm.export.comparison import as_csv, as_latex
    from gradnorm.runs.store import RunStore

    outputs = [arguments.json, arguments.html, arguments.latex, arguments.csv]
    _check(arguments, outputs)
    store = RunStore(arguments.home)
    loaded = load(store, arguments.runs)
    for fault in loaded.faults:
        print(f"gradnorm: {fault}", file=sys.stderr)
    try:
        found = compared.compare(loaded.runs, arguments.last, arguments.baseline)
        drawn = found.chosen(arguments.metric)
    except ValueError as error:
        raise SpecError(str(error)) from None
    if arguments.html:
        from gradnorm.charts.comparison import figures
        from gradnorm.export.report import as_html

        shown, told = figures(store, found, drawn, arguments.by, arguments.score)
        report = as_html(found, arguments.score, found.headline, shown, (*loaded.faults, *told))
        write_text(report, arguments.html)
    if arguments.json:
        write_json({**found.to_dict(), "faults": loaded.faults}, arguments.json)
    if arguments.latex:
        write_text(as_latex(found, arguments.score, found.headline), arguments.latex)
    if arguments.csv:
        write_text(as_csv(found), arguments.csv)
    if "-" not in outputs:
        print(tables.page(found, arguments.score))
    return 0


def _check(arguments: argparse.Namespace, outputs: list[str | None]) -> None:
    if arguments.last < 1:
        raise SpecError(f"last should be 1 or more. Found {arguments.last}. Set it with --last.")
    if outputs.count("-") > 1:
        raise SpecError("One result can be written to standard output. Found several. Name files for the others.")
