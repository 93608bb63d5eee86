"""The seam between the queue and what trains: this machine, or a cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gradnorm.runs.records import Record, RunInfo
from gradnorm.runs.store import RunStore
from gradnorm.training.control import Control


class EngineError(RuntimeError):
    """An engine cannot be used as it is; the message says why and what to do."""


@dataclass(frozen=True)
class Reached:
    """A run is recorded up to a step."""

    step: int


Told = Generator[tuple[str, Record | Reached]]


class Engine(Protocol):
    """Trains leases: runs that were claimed together, and go in lock step.

    name: which runs of the queue it is for, as in `StudyInfo.engine`.
    """

    name: str

    def carry_out(
        self,
        store: RunStore,
        claimed: Sequence[RunInfo],
        controls: Mapping[str, Control],
        left: set[int],
        held: Callable[[bool], None],
    ) -> Told:
        """Train a lease, record what its runs still lack, and yield how far each run is: its last item is an Outcome.

        Whoever stops pulling leaves the rest to be recorded when the runs are claimed again.

        controls: one for each run, by its id. They pause and stop the lease.
        left: gets the indexes of runs whose end need not be written: it is, or they were deleted or taken over.
        held: called with True when a pause has begun, and with False before the lease goes on.
        """
        ...
