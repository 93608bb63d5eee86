"""A comparison as CSV, as a LaTeX table, and as one HTML file."""

from __future__ import annotations

import csv
import io
import re

import pytest

from gradnorm.charts.comparison import figures
from gradnorm.comparison.compared import compare
from gradnorm.comparison.measures import Measure
from gradnorm.export.comparison import as_csv, as_latex, escaped
from gradnorm.export.report import as_html
from tests.comparison.made import loaded, make

RMSE = Measure("test_metric", "depth", "rmse")


@pytest.fixture
def comparison(store):
    runs = [make(store, [4.0, 1.0 + seed], seed=seed) for seed in (0, 1)]
    runs += [make(store, [4.0, 3.0], method="equal", seed=seed) for seed in (0, 1)]
    return compare(loaded(store, *runs), baseline=runs[2])


def test_csv_has_a_row_a_score(comparison):
    rows = list(csv.DictReader(io.StringIO(as_csv(comparison))))
    (row,) = [r for r in rows if r["measure"] == RMSE.key and r["statistic"] == "final" and r["p"]]
    assert (row["group"], row["seeds"], row["mean"], row["n"]) == ("GradNorm α 0.5", "0 1", "1.5", "2")
    assert (row["difference"], row["p"], row["pairs"]) == ("-1.5", "0.5", "2")
    assert row["runs"].split() == [run.info.run for run in comparison.groups[0].runs]
    (gained,) = [r for r in rows if r["measure"] == "delta_m" and r["statistic"] == "final"]
    # rmse 1 and 2 of 3: 66.7 % and 33.3 %; miou is the same.
    assert float(gained["mean"]) == pytest.approx(25.0)


def test_latex_is_a_table_with_the_best_in_bold(comparison):
    text = as_latex(comparison, "final", [RMSE])
    assert r"GradNorm $\alpha$ 0.5 & 2 & \textbf{1.5 $\pm$ 0.71} & +25.00 $\pm$ 12 \\" in text
    assert r"Group & Seeds & depth: rmse & $\Delta$m \% \\" in text
    body = [line for line in text.splitlines() if not line.startswith("%")]
    assert body[0] == r"\begin{tabular}{lrrr}"
    assert body[-1] == r"\end{tabular}"


def test_latex_escapes_what_titles_may_hold():
    assert (
        escaped("50% & a_b #1 \\x {y}\n~^")
        == r"50\% \& a\_b \#1 \textbackslash{}x \{y\} \textasciitilde{}\textasciicircum{}"
    )


def test_the_report_holds_all_that_it_shows(store, comparison):
    drawn, _ = figures(store, comparison, [RMSE], "step", "final")
    page = as_html(comparison, "final", comparison.headline, drawn, ["Something < is amiss."])
    assert "Something &lt; is amiss." in page
    assert page.count('<section id="figure-') == len(drawn) == 2
    # Nothing is loaded from elsewhere: plotly's script is inside, once.
    assert not re.search(r"<(script|link|img)[^>]*(src|href)=[\"']?(https?:)?//", page)
    assert page.count("Plotly.newPlot(") == len(drawn)


def test_a_title_can_be_no_script(store):
    evil = "</script><script>alert(1)</script>"
    run = make(store, [4.0, 1.0], title=evil, recorded=evil, method=None, tasks=(evil, "b"))
    found = compare(loaded(store, run))
    page = as_html(found, "final", found.headline, figures(store, found, found.chosen([]), "step", "final")[0], [evil])
    assert "<script>alert(1)" not in page
