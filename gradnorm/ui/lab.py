"""The one Lab of this server process, shared by all sessions."""

from __future__ import annotations

from contextlib import suppress
from functools import cache

from gradnorm.lab.lab import Lab
from gradnorm.lab.study_keeper import StudyKeeper
from gradnorm.runs.faults import StoreError
from gradnorm.runs.store import RunStore


@cache
def lab() -> Lab:
    """Return the server's Lab, which the first call makes."""
    return Lab(RunStore())


@cache
def studies() -> StudyKeeper:
    """Return what keeps the server's studies going, which the first call makes."""
    return StudyKeeper(lab())


def trouble() -> str | None:
    """Return what keeps runs from being trained or recorded now, as a sentence; None if nothing does."""
    try:
        return lab().trouble
    except StoreError as error:  # the home cannot be opened; it is tried again at each call
        return str(error)


def warm() -> None:
    """Start the Lab's workers, and what keeps studies going, where the home can be opened."""
    with suppress(StoreError):
        lab().warm()
        studies().start()


def close() -> None:
    """End the runs of the Lab in good order, if there is one."""
    if studies.cache_info().currsize:
        studies().close()
    if lab.cache_info().currsize:
        lab().close()
