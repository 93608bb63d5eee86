"""Why a home, or a part of it, cannot be used: errors whose message says what was found and what to do."""

from __future__ import annotations

from pathlib import Path


class StoreError(RuntimeError):
    """The store cannot be used as it is; the message says why and what to do."""


class DamageError(StoreError):
    """A part of the home is not as it was written."""


class ReadOnlyHomeError(StoreError):
    """The home can be read, but nothing can be recorded there."""


class HomeGoneError(StoreError):
    """The home has been deleted or replaced since it was opened."""


def unusable(home: Path, error: Exception) -> StoreError:
    """Return the error for a home that cannot be used."""
    return StoreError(
        f"The home of the runs should be a directory that can be written. Found {home} ({error}). "
        "Set GRADNORM_HOME or --home to another one."
    )


def damaged(path: Path, error: Exception) -> DamageError:
    """Return the error for a database that cannot be read, or in a part of it."""
    return DamageError(
        f"The database {path} should be as it was written. Found it damaged ({error}). "
        f"Run `gradnorm doctor --home {path.parent}` to see what is left, and `--repair` to mend what can be. "
        "Set GRADNORM_HOME or --home to another directory meanwhile."
    )


def read_only(home: Path) -> ReadOnlyHomeError:
    """Return the error for a write to a home that can only be read."""
    return ReadOnlyHomeError(
        f"To record runs, their home should be a directory that can be written. Found {home} read-only: its runs can "
        "be looked at and exported. Set GRADNORM_HOME or --home to another one to record."
    )


def gone(home: Path) -> HomeGoneError:
    """Return the error for a home that is no longer where it was opened."""
    return HomeGoneError(
        f"The home of the runs should stay where it is while it is in use. Found {home} deleted or replaced. "
        "Put it back, or restart to begin a new one."
    )
