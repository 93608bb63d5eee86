"""The one wire into a running engine: pause, single step, stop, and new hyperparameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Condition
from typing import Any


class Control:
    """Steers a run from another thread; every method returns at once, except `wait`.

    A request takes effect at the next step boundary. Whoever pulls records from `train` pauses by
    not pulling (`wait`); the engine itself looks at `stopping` and `take_changes`.

    >>> from gradnorm import Control, RunSpec, train
    >>> control = Control()
    >>> spec = RunSpec.parse({"dataset": "toy", "tasks": 2, "steps": 3, "checkpoint_every": 0})
    >>> for record in train(spec, control):
    ...     if type(record).__name__ == "StepRecord":
    ...         control.stop()
    >>> record.kind, record.step
    ('stopped', 1)
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._paused = False
        self._steps_allowed = 0
        self._stopping = False
        self._changes: dict[str, Any] = {}
        self._asked: dict[str, Any] = {}
        # What keeps the records of the run from being written now, as a sentence; whoever writes them sets it.
        self.trouble: str | None = None
        # The engine calls this before it waits for the pace; whoever writes the records sets it.
        self.before_rest: Callable[[], None] = lambda: None

    @property
    def paused(self) -> bool:
        """Whether the run is held (single steps do not end a pause)."""
        return self._paused

    @property
    def stopping(self) -> bool:
        """Whether the run was asked to end."""
        return self._stopping

    def pause(self) -> None:
        """Hold the run at the next step boundary."""
        with self._changed:
            self._paused = True

    def resume(self) -> None:
        """Let a held run go on."""
        with self._changed:
            self._paused, self._steps_allowed = False, 0
            self._changed.notify_all()

    def step(self) -> None:
        """Hold the run, and let it take one more step."""
        with self._changed:
            self._paused = True
            self._steps_allowed += 1
            self._changed.notify_all()

    def stop(self) -> None:
        """End the run at the next step boundary, paused or not."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def retune(self, **hyperparameters: Any) -> None:
        """Change hyperparameters, such as alpha, from the next step on; the last value given counts."""
        with self._changed:
            self._changes.update(hyperparameters)
            self._asked = {**self._asked, **hyperparameters}

    @property
    def asked(self) -> Mapping[str, Any]:
        """The newest value of each hyperparameter that was changed by `retune`, whether a step has used it or not."""
        return self._asked

    def take_changes(self) -> dict[str, Any]:
        """Return the changes asked for since the last call."""
        if not self._changes:
            return {}
        with self._changed:
            taken, self._changes = self._changes, {}
        return taken

    def must_wait(self) -> bool:
        """Whether the next step has to wait for `resume`, `step` or `stop`."""
        return self._paused and not self._stopping and self._steps_allowed == 0

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until a step may be taken; False if `timeout` seconds went by first."""
        with self._changed:
            return self._changed.wait_for(lambda: not self.must_wait(), timeout)

    def use_single_step(self) -> bool:
        """Use up one `step`; False if none was asked for."""
        with self._changed:
            if not self._steps_allowed:
                return False
            self._steps_allowed -= 1
            return True
