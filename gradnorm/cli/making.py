"""Commands that make something larger: the paper's figure, a benchmark, the dashboard."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

from gradnorm.cli.output import check_writable, write_json
from gradnorm.cli.parser import benchmarks
from gradnorm.common.extras import MissingPackageError, missing
from gradnorm.config.spec import SpecError

# Benchmarks that look at the dashboard with Chromium.
_IN_A_BROWSER = ("startup", "streaming")


def figure2(arguments: argparse.Namespace) -> int:
    """Write the table and the figure of `gradnorm.experiments.figure2`."""
    from gradnorm.experiments import figure2, report

    for key in ("seeds", "jobs", "draws"):
        if not 1 <= getattr(arguments, key) <= 100:
            raise SpecError(f"{key} should be in [1, 100]. Found {getattr(arguments, key)}. Set it with --{key}.")
    check_writable(arguments.json)
    arguments.out.mkdir(parents=True, exist_ok=True)
    with closing(Progress(f"Figure 2, {arguments.tasks} tasks")) as progress:
        result = figure2.reproduce(
            arguments.tasks, arguments.seeds, arguments.jobs, progress.take, arguments.steps, arguments.draws
        )
    text = "\n".join([report.table(result), "", *report.verdict(result)])
    (arguments.out / f"figure2-{arguments.tasks}.md").write_text(text + "\n")
    report.picture(result, arguments.out / f"figure2-{arguments.tasks}.svg")
    if arguments.json:
        write_json(result.to_dict(), arguments.json)
    if arguments.json != "-":
        print(text)
    return 0


class Progress:
    """Tells on standard error how many runs are done: a bar on a terminal; elsewhere, as in a log, a line a tenth."""

    def __init__(self, title: str) -> None:
        from tqdm import tqdm

        self._title, self._tenths, self._terminal = title, 0, sys.stderr.isatty()
        self._bar = tqdm(desc=title, unit="run", disable=not self._terminal)

    def take(self, done: int, total: int) -> None:
        """Tell that `done` of `total` runs are done, which may have become more."""
        self._bar.total = total
        self._bar.update(done - self._bar.n)
        if not self._terminal and 10 * done // total > self._tenths:
            self._tenths = 10 * done // total
            print(f"{self._title}: {done} of {total} runs", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()


def dashboard(arguments: argparse.Namespace) -> int:
    """Serve the dashboard."""
    from gradnorm.ui.launcher import serve

    if arguments.home is not None:
        os.environ["GRADNORM_HOME"] = str(arguments.home)
    return serve(arguments.address, arguments.port, open_browser=arguments.open)


def bench(arguments: argparse.Namespace) -> int:
    """Run a benchmark."""
    if not benchmarks():
        raise SpecError(
            "bench should be run in a checkout of the source, with `python -m gradnorm bench`. "
            "Found no benchmarks there. Get the source, and run `make run` in it once."
        )
    from benchmarks import measure

    if arguments.name in _IN_A_BROWSER:
        _check_browser(f"gradnorm bench {arguments.name}")
    check_writable(arguments.json)
    write_json(measure(arguments.name, **_viewers(arguments)), arguments.json or "-")
    return 0


def _viewers(arguments: argparse.Namespace) -> dict[str, int]:
    """Return the option of `streaming`, if it is given. Raises SpecError if it can't be used."""
    if arguments.viewers is None:
        return {}
    if arguments.name != "streaming":
        raise SpecError(f"--viewers should be given with streaming. Found it with {arguments.name}. Leave it out.")
    if arguments.viewers < 2:
        raise SpecError(f"--viewers should be 2 or more. Found {arguments.viewers}.")
    return {"viewers": arguments.viewers}


def _check_browser(user: str) -> None:
    """Raise MissingPackageError without Playwright, and SpecError without Chromium."""
    if find_spec("playwright") is None:
        raise MissingPackageError(missing(user, ["playwright"], "playwright"), name="playwright")
    chromium = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    if not Path(chromium).is_file():
        raise SpecError(
            f"{user} should find Chromium. Found no {chromium}. "
            "Install it with `apt-get install chromium`, or set CHROMIUM to another one."
        )
