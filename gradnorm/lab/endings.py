"""How runs ended, kept until it has been written."""

from __future__ import annotations

import logging

from gradnorm.runs.database import PASSING
from gradnorm.runs.faults import DamageError
from gradnorm.runs.ownership import TakenOverError
from gradnorm.runs.records import Outcome
from gradnorm.runs.store import RunStore, UnknownRunError

log = logging.getLogger(__name__)


class Endings:
    """Owes the store how runs ended.

    trouble: why that cannot be written now, as a sentence; None if nothing is owed.
    """

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._owed: dict[str, Outcome] = {}
        self.trouble: str | None = None

    def add(self, run: str, outcome: Outcome) -> None:
        """Write how a run ended, now or with a later `write`."""
        self._owed[run] = outcome
        self.write()

    def write(self) -> None:
        """Write what is owed, as far as that can be done."""
        for run, outcome in list(self._owed.items()):
            try:
                self._store.end(run, outcome)
            except UnknownRunError:
                log.warning("Run %s was removed while it trained.", run)
            except (TakenOverError, DamageError) as error:
                log.warning("%s", error)
            except PASSING as error:
                self._tell(run, error)
                return
            self._owed.pop(run, None)
        self.trouble = None

    def _tell(self, run: str, error: Exception) -> None:
        if self.trouble is None:
            log.warning("The end of run %s cannot be written now: %s. It is tried again.", run, error)
        self.trouble = (
            f"How run {run} ended cannot be written now ({error}). It is kept, and tried again. "
            "Free some space on the disk of the server, or end what holds its database."
        )
