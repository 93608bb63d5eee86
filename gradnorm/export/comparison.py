"""A comparison as files: CSV with a row a score, and a LaTeX table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from gradnorm.comparison import tables
from gradnorm.comparison.compared import Comparison
from gradnorm.comparison.measures import Measure
from gradnorm.comparison.scores import Statistic

_COLUMNS = ("group", "runs", "seeds", "measure", "statistic")
_NUMBERS = ("mean", "sd", "low", "high", "n", "difference", "p", "pairs")
_ESCAPED = {
    **{sign: rf"\{sign}" for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "−": "$-$",
    "–": "--",
    "·": r"$\cdot$",
    "×": r"$\times$",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "γ": r"$\gamma$",
    "λ": r"$\lambda$",
    "σ": r"$\sigma$",
    "Δ": r"$\Delta$",
    "ⁿ": "$^n$",
}


def as_csv(comparison: Comparison) -> str:
    """Return all scores of all statistics, a row each; Δm in per cent is the measure "delta_m"."""
    plain = comparison.to_dict()
    described = {each["group"]: each for each in plain["groups"]}
    gained = [{**each, "measure": "delta_m"} for each in plain["delta_m"]["percent"] if "mean" in each]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*_COLUMNS, *_NUMBERS))
    for row in (*plain["scores"], *gained):
        group = described[row["group"]]
        runs, seeds = " ".join(run["run"] for run in group["runs"]), " ".join(map(str, group["seeds"]))
        numbers = ("" if row.get(name) is None else row[name] for name in _NUMBERS)
        writer.writerow((row["group"], runs, seeds, row["measure"], row["statistic"], *numbers))
    return text.getvalue()


def as_latex(comparison: Comparison, statistic: Statistic, measures: Sequence[Measure]) -> str:
    """Return the table of scores for a paper that uses booktabs, the best of each column in bold."""
    table = tables.scores(comparison, statistic, measures)
    lines = [f"% {note}" for note in ("Needs \\usepackage{booktabs}.", *tables.notes(comparison, statistic))]
    lines += [f"\\begin{{tabular}}{{l{'r' * (len(table.head) - 1)}}}", r"\toprule", _row(table.head), r"\midrule"]
    for i, row in enumerate(table.rows):
        lines.append(_row(row, bold={column for line, column in table.best if line == i}))
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _row(cells: Sequence[str], bold: frozenset[int] | set[int] = frozenset()) -> str:
    texts = [rf"\textbf{{{escaped(cell)}}}" if i in bold else escaped(cell) for i, cell in enumerate(cells)]
    return " & ".join(texts) + r" \\"


def escaped(text: str) -> str:
    """Return a text that LaTeX sets as it is, on one line."""
    return "".join(_ESCAPED.get(sign, sign) for sign in " ".join(text.split()))
