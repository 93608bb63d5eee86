"""Draws what studies of a home say, as SVG files: `python tools/study_figures.py HOME FOLDER`.

A file a chart: STUDY-KIND of each α sweep and each grid that has ended. Draws in Chromium, which has to be installed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote

import plotly.graph_objects as go
from playwright.sync_api import sync_playwright
from plotly.offline import get_plotlyjs

from gradnorm.charts.lesson import Look
from gradnorm.charts.studies import alpha_losses, grid_points
from gradnorm.lab.study_keeper import results_of
from gradnorm.runs.store import RunStore
from gradnorm.studies.registry import study_of

DRAWN = {"alpha": alpha_losses, "grid": grid_points}
DRAW = "figure => Plotly.toImage(JSON.parse(figure), {format: 'svg', width: 820, height: 440})"


def figures(home: Path) -> Iterator[tuple[str, go.Figure]]:
    """Yield name and figure of each study that has one."""
    with closing(RunStore(home)) as store:
        for info in store.studies.all():
            if info.kind in DRAWN and info.state == "finished":
                report = study_of(info.kind, info.spec).report(results_of(store.studies.members(info.study)))
                look = Look()
                figure = DRAWN[info.kind](report, look).update_layout(title=info.title, template="plotly_white")
                yield f"{info.study}-{info.kind}", figure


def main() -> None:
    """Write the files, and print their names."""
    if len(sys.argv) != 3:
        sys.exit("Usage: python tools/study_figures.py HOME FOLDER")
    home, folder = map(Path, sys.argv[1:])
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page()
        page.add_script_tag(content=get_plotlyjs())
        for name, figure in figures(home):
            drawn = page.evaluate(DRAW, figure.to_json())
            (folder / f"{name}.svg").write_text(unquote(drawn.partition(",")[2]))
            print(folder / f"{name}.svg")
        browser.close()


if __name__ == "__main__":
    main()
