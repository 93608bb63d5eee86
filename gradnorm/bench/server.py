"""The real server with a clock beside the worker: notes when each step was made, for `streaming`.

`python -m gradnorm.bench.server PORT TIMES` serves the dashboard and appends (step, seconds since 1970) pairs,
float64, to the file TIMES.
"""

from __future__ import annotations

import struct
import sys
import time
from collections.abc import Iterator
from typing import Any

from gradnorm import worker
from gradnorm.records import Record, StepRecord
from gradnorm.ui.serve import ROOT


def _clocked(records: Iterator[Record], times: Any) -> Iterator[Record]:
    for item in records:
        if isinstance(item, StepRecord):
            times.write(struct.pack("<2d", item.step, time.time()))
        yield item


def main() -> None:
    """Serve until told to stop."""
    port, path = sys.argv[1:3]
    times = open(path, "ab", buffering=1 << 14)  # noqa: PTH123, SIM115
    record = worker.record

    def clocked(store: Any, run: str, records: Iterator[Record], control: Any) -> Any:
        yield from record(store, run, _clocked(records, times), control)
        times.flush()

    worker.record = clocked
    from streamlit.web import cli

    flags = ["--server.address", "127.0.0.1", "--server.port", port, "--server.headless", "true"]
    cli.main_run([str(ROOT / "app.py"), *flags])


if __name__ == "__main__":
    main()
