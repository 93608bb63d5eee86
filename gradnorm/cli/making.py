"""Commands that make something larger: the paper's figure, a benchmark, the dashboard."""

from __future__ import annotations

import argparse
import os
import sys

from gradnorm.cli.output import check_writable, write_json
from gradnorm.config.spec import SpecError


def figure2(given: argparse.Namespace) -> int:
    """Write the table and the figure of `gradnorm.experiments.figure2`."""
    from tqdm import tqdm

    from gradnorm.experiments import figure2

    for key in ("seeds", "jobs"):
        if not 1 <= getattr(given, key) <= 100:
            raise SpecError(f"{key} should be in [1, 100]. Found {getattr(given, key)}. Set it with --{key}.")
    check_writable(given.json)
    given.out.mkdir(parents=True, exist_ok=True)
    bar = tqdm(desc=f"Figure 2, {given.tasks} tasks", unit="run", disable=not sys.stderr.isatty())

    def progress(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    result = figure2.reproduce(given.tasks, given.seeds, given.jobs, progress, given.steps)
    bar.close()
    text = "\n".join([figure2.table(result), "", *figure2.verdict(result)])
    (given.out / f"figure2-{given.tasks}.md").write_text(text + "\n")
    figure2.picture(result, given.out / f"figure2-{given.tasks}.svg")
    if given.json:
        write_json(result.to_dict(), given.json)
    if given.json != "-":
        print(text)
    return 0


def dashboard(given: argparse.Namespace) -> int:
    """Serve the dashboard."""
    from gradnorm.ui.launcher import serve

    if given.home is not None:
        os.environ["GRADNORM_HOME"] = str(given.home)
    return serve(given.address, given.port, open_browser=given.open)


def bench(given: argparse.Namespace) -> int:
    """Run a benchmark."""
    try:
        from benchmarks import measure
    except ModuleNotFoundError:
        raise SpecError(
            "bench should be run in a checkout of the source, with `python -m gradnorm bench`. "
            "Found no benchmarks there. Get the source, and run `make run` in it once."
        ) from None
    check_writable(given.json)
    write_json(measure(given.name), given.json or "-")
    return 0
