"""The real server with a clock beside the worker: notes when each step was made, for `streaming`.

A run with a pace is replayed: its first steps are trained, then their records come again and again, numbered on, at
exactly that pace. So the way from record to pixel is measured at 500 points a second on any machine.

`python -m benchmarks.server PORT TIMES` serves the dashboard and appends (step, seconds since 1970) pairs,
float64, to the file TIMES.
"""

from __future__ import annotations

import struct
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import cycle, islice
from typing import Any

from gradnorm.lab import this_machine
from gradnorm.runs.records import Outcome, Record, StepRecord
from gradnorm.training.pacer import Pacer
from gradnorm.ui.location import site

# Steps that are trained before they are replayed.
SAMPLE = 200


def _replayed(records: Iterator[Record], pace: float, steps: int) -> Iterator[Record]:
    trained = [item for item in islice(records, SAMPLE) if isinstance(item, StepRecord)]
    pacer = Pacer(pace)
    for step, item in zip(range(1, steps + 1), cycle(trained), strict=False):
        pacer.wait()
        yield replace(item, step=step)
    yield Outcome("finished", steps, f"Finished all {steps:,} steps.")


def _clocked(records: Iterator[Record], times: Any) -> Iterator[Record]:
    for item in records:
        if isinstance(item, StepRecord):
            times.write(struct.pack("<2d", item.step, time.time()))
        yield item


def main() -> None:
    """Serve until told to stop."""
    port, path = sys.argv[1:3]
    times = open(path, "ab", buffering=1 << 14)  # noqa: PTH123, SIM115
    record_group = this_machine.record_group

    def clocked(store: Any, runs: Sequence[str], items: Iterator[Any], *rest: Any) -> Any:
        (run,) = runs
        records = (item for _, item in items)
        spec = store.info(run).spec
        made = _replayed(records, spec["pace"], spec["steps"]) if spec["pace"] else records
        yield from record_group(store, runs, ((0, item) for item in _clocked(made, times)), *rest)
        times.flush()

    this_machine.record_group = clocked
    from streamlit.web import cli

    flags = ["--server.address", "127.0.0.1", "--server.port", port, "--server.headless", "true"]
    cli.main_run([str(site() / "app.py"), *flags])


if __name__ == "__main__":
    main()
