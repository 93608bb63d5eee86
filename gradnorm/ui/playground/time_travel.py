"""Time travel: a run goes on from a checkpoint of another, with the settings that the controls show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from gradnorm.config.spec import SpecError
from gradnorm.runs.store import UnknownRunError
from gradnorm.ui import session
from gradnorm.ui.lab import lab


def fork(run: str, step: int) -> None:
    """Fork a run after `step` steps and watch the child; sets the session's fault if that can't be done.

    What the child has otherwise than its parent is what the controls show otherwise; that may be nothing.
    """
    try:
        parent = lab().store.info(run).spec
        changes = {key: value for key, value in session.spec().flat().items() if _differs(parent, key, value)}
        session.watch(lab().fork(run, step, changes))
    except (UnknownRunError, SpecError, ValueError) as error:  # a CheckpointError is a ValueError
        session.tell(str(error))


def asked(message: Any) -> tuple[str, int] | None:
    """Return the run and the step that the panel asks to fork, or None if its message says nothing of the kind."""
    if not isinstance(message, Mapping):
        return None
    given = cast("Mapping[str, Any]", message)
    run, step = given.get("run"), given.get("step")
    return (run, step) if isinstance(run, str) and type(step) is int and step >= 0 else None


def _differs(parent: Mapping[str, Any], key: str, value: Any) -> bool:
    # JSON knows no tuples: what the store gives back has lists.
    value = list(cast("tuple[Any, ...]", value)) if isinstance(value, tuple) else value
    return key not in parent or parent[key] != value
