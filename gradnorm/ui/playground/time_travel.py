"""Time travel: fork a run at one of its checkpoints, with the settings that the controls show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from gradnorm.config.spec import SpecError
from gradnorm.runs.faults import StoreError
from gradnorm.runs.store import UnknownRunError
from gradnorm.ui import session
from gradnorm.ui.lab import lab
from gradnorm.ui.words import on_page, t


def fork(run: str, step: int) -> None:
    """Fork a run and watch the fork. If that fails, the session's fault says why.

    run: id of the parent.  step: steps completed at the checkpoint to start from, ≥ 0.
    The fork gets every setting in which the controls differ from the parent; there may be none.
    """
    try:
        info = lab().store.info(run)
        if info.recorded:
            session.tell(
                t(
                    "A script recorded this run, so a run of the script goes on: Recorder(…, fork=({run!r}, {step})).",
                    run=run,
                    step=step,
                )
            )
            return
        parent = info.spec
        changes = {key: value for key, value in session.spec().settled().flat().items() if _differs(parent, key, value)}
        session.watch(lab().fork(run, step, changes))
    except (UnknownRunError, SpecError, ValueError, StoreError) as error:  # a CheckpointError is a ValueError
        session.tell(on_page(error))


def fork_request(message: Any) -> tuple[str, int] | None:
    """Return the run id and the step that the panel asks to fork, or None if its message is no such request."""
    if not isinstance(message, Mapping):
        return None
    fields = cast("Mapping[str, Any]", message)
    run, step = fields.get("run"), fields.get("step")
    return (run, step) if isinstance(run, str) and type(step) is int and step >= 0 else None


def _differs(parent: Mapping[str, Any], key: str, value: Any) -> bool:
    # JSON knows no tuples: what the store gives back has lists.
    value = list(cast("tuple[Any, ...]", value)) if isinstance(value, tuple) else value
    return key not in parent or parent[key] != value
