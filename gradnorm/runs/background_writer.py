"""Records on their way to the store, written by a thread of its own.

A step may take long; the one before it should be seen, and safe, meanwhile.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from threading import Event, Lock, Thread
from typing import Any

from gradnorm.runs.block import Block
from gradnorm.runs.records import Evaluation, Outcome, StepRecord
from gradnorm.runs.records import Event as RunEvent
from gradnorm.runs.store import RunStore, UnknownRunError

log = logging.getLogger(__name__)

# A block is written when it is this old: old enough to cost the worker little, young enough that a viewer sees a step
# within a few frames.
BLOCK_SECONDS = 0.045
# A run that waits is marked as alive this often.
BEAT_SECONDS = 10.0


class BackgroundWriter:
    """Writes what is put, within `BLOCK_SECONDS`, until it is closed; a run that waits is kept alive meanwhile.

    Training does not suffer from a store that cannot be written: that is logged once as a warning, and tried again
    with the next block. What comes for a run that was deleted is dropped.
    """

    def __init__(self, store: RunStore, run: str) -> None:
        self.run = run
        self._store = store
        self._lock, self._writing = Lock(), Lock()
        self._come, self._closing = Event(), Event()
        self._block = Block(store, run)
        self._spec: Mapping[str, Any] | None = None
        self._outcome: Outcome | None = None
        self._since = time.monotonic()
        self._gone = self._warned = False
        self._thread = Thread(target=self._serve, name=f"gradnorm-post-{run}", daemon=True)
        self._thread.start()

    def put(self, item: StepRecord | Evaluation | RunEvent | Mapping[str, Any] | Outcome) -> None:
        """Take a record, a newer description of the run, or how it ended."""
        with self._lock:
            if isinstance(item, Outcome):
                self._outcome = item
            elif isinstance(item, Mapping):
                self._spec = item
            else:
                self._block.add(item)
        self._come.set()

    def flush(self) -> None:
        """Write what has come. Raises StoreError or apsw's errors if that cannot be done; it is kept then."""
        with self._writing:
            with self._lock:
                spec, outcome = self._spec, self._outcome
            if self._gone:
                self._block.clear()
                return
            try:
                self._write(spec, outcome)
            except UnknownRunError:
                self._gone = True
                self._block.clear()
                log.warning("Run %s was removed while it was recorded; the rest of it is not kept.", self.run)
            with self._lock:
                self._spec = None if self._spec is spec else self._spec

    def skip_pause(self) -> None:
        """Count the time since the last write as none of the run's."""
        with self._writing:
            self._since = time.monotonic()

    def close(self) -> None:
        """Write what is left, and end the thread; what cannot be written is told in the log, and lost."""
        self._closing.set()
        self._come.set()
        self._thread.join()
        try:
            self.flush()
        except Exception as error:
            # Whoever trains may have a network to save yet.
            log.error("The last records of run %s could not be written: %s.", self.run, error)

    def _write(self, spec: Mapping[str, Any] | None, outcome: Outcome | None) -> None:
        if spec is not None:
            self._store.describe(self.run, spec)
        if not self._block.empty or outcome is not None:
            now = time.monotonic()
            self._block.write(now - self._since)
            self._since = now
        if outcome is not None:
            self._store.end(self.run, outcome)

    def _serve(self) -> None:
        while not self._closing.is_set():
            come = self._come.wait(BEAT_SECONDS)
            # A block is gathered; who closes does not wait for it.
            self._closing.wait(BLOCK_SECONDS if come else 0)
            self._come.clear()
            try:
                if come:
                    self.flush()
                else:
                    self._store.beat([self.run])
            except Exception as error:
                self._warn(error)
        self._store.close()

    def _warn(self, error: Exception) -> None:
        if not self._warned:
            self._warned = True
            log.warning("Run %s cannot be written now: %s. Training goes on; it is tried again.", self.run, error)
        self._closing.wait(1)
        self._come.set()
