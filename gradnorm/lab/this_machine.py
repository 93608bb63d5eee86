"""The engine that trains in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing

from gradnorm.lab.engine import Told
from gradnorm.lab.resume import records_of
from gradnorm.lab.run_writer import record_group
from gradnorm.runs.records import RunInfo
from gradnorm.runs.store import RunStore
from gradnorm.training.control import Control


class ThisMachine:
    """Trains in the thread that pulls."""

    name = "local"

    def carry_out(
        self,
        store: RunStore,
        claimed: Sequence[RunInfo],
        controls: Mapping[str, Control],
        left: set[int],
        held: Callable[[bool], None],
    ) -> Told:
        """Train a lease; see `Engine`."""
        items = records_of(store, claimed, controls, left)
        steering = list(controls.values())
        with closing(record_group(store, list(controls), items, steering, left, held)) as recorded:
            yield from recorded
