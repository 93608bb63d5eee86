"""Your own training loop in the dashboard: ten lines put its losses, weights and norms in the store.

One more line lets the dashboard pause and stop the script, and change its `knobs` while it runs.
torch is not needed for it: plain numbers will do.
"""

from __future__ import annotations

import atexit
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Self

from gradnorm.common.texts import Text, filled, joined, later
from gradnorm.methods.base import Balance, NonFiniteLossError
from gradnorm.runs.background_writer import BackgroundWriter
from gradnorm.runs.faults import StoreError
from gradnorm.runs.knobs import Knob, named
from gradnorm.runs.listener import Listener, StoppedError
from gradnorm.runs.logged_values import LoggedRun, device_of, measured, task_metrics, task_numbers, task_vector, titles
from gradnorm.runs.plain import json_safe
from gradnorm.runs.records import Event, Outcome, OutcomeKind
from gradnorm.runs.store import RunStore, UnknownRunError

MOST_STEPS = 2**24
_ENDINGS: dict[OutcomeKind, str] = {
    "finished": later("Finished after {steps:,} steps."),
    "stopped": later("Stopped after {steps:,} steps."),
    "diverged": later("Diverged after {steps:,} steps."),
    "failed": later("Failed after {steps:,} steps."),
    "interrupted": later("Interrupted after {steps:,} steps."),
}


class Recorder:
    """Writes the steps of a training loop of your own to the store, where the dashboard shows them live.

    The run begins at once. It ends with the `with` block, or with `end`:

    - "finished", or "diverged" if the last loss of a task is NaN or infinite;
    - "diverged" if a `NonFiniteLossError` leaves the block, "stopped" for a KeyboardInterrupt, and "failed" for any
      other exception, which is raised on;
    - "stopped" if a page stops it, which only a script that listens lets it do; see `knobs` and `stopped`;
    - "interrupted" if the process is killed.

    A step that was logged is written within 50 ms by a thread of its own, and survives the process from then on.

    title: what the run is called.  tasks: T names, such as `balancer.names`, in the order of all vectors.
    steps: how many there will be, in [1, 2²⁴], for the progress bar; None if that is not known.
    home: where runs live; None takes GRADNORM_HOME, else `runs/`.
    device: what the network trains on, to be shown; left out, it is read from the first tensor that is logged.
    checkpoint: gives the state of the training as bytes, so that pages may ask for it. It is called on the thread that
        trains, in `knobs`, `stopped` or `log`: log a step after the optimizer's.
    fork: a run and a step of it that a checkpoint was kept of; this run goes on from there, and is drawn beside it.
        `restored` is what its `checkpoint` gave; None without.
    run: the run's id, as `gradnorm runs` lists it.
    Raises ValueError for a title or names that are none and for steps out of range, CheckpointError
    for a fork from no checkpoint, StoreError for a home that cannot be written.

    >>> from tempfile import mkdtemp
    >>> from gradnorm import Recorder
    >>> from gradnorm.runs.store import RunStore
    >>> home = mkdtemp()
    >>> with Recorder("my network", tasks=["depth", "normals"], steps=2, home=home) as recorder:
    ...     recorder.log(losses=[0.5, 0.1], weights=[1.0, 1.0])
    ...     recorder.event("learning_rate", 0.01)
    ...     recorder.log(losses={"depth": 0.25, "normals": 0.1}, weights=[1.5, 0.5])
    ...     recorder.evaluate(losses=[0.375, 0.125], metrics=[{"rmse": 0.6}, {"angle_mean": 21.0}])
    >>> snapshot = RunStore(home).read(recorder.run)
    >>> snapshot.info.state, snapshot.vector("loss_ratios").tolist()
    ('finished', [[1.0, 1.0], [0.5, 1.0]])
    >>> snapshot.events[0].label
    'learning rate 0.01'
    """

    def __init__(
        self,
        title: str,
        tasks: Sequence[str],
        *,
        steps: int | None = None,
        home: Path | str | None = None,
        device: str = "",
        checkpoint: Callable[[], bytes] | None = None,
        fork: tuple[str, int] | None = None,
    ) -> None:
        self.tasks = titles(title, tasks)
        if steps is not None and not 1 <= steps <= MOST_STEPS:
            raise ValueError(f"steps should be in [1, {MOST_STEPS:,}], or None. Found {steps}. Leave it out if unsure.")
        self._store = RunStore(home)
        self._spec: dict[str, Any] = {"recorded": title, "steps": steps, "targets": False, "metrics": []}
        parent, self._step = fork or (None, 0)
        self.restored = self._store.checkpoints.read(parent, self._step).payload if parent else None
        self.run = self._store.create(title, self._spec, self.tasks, queued=False, parent=parent, forked_at=self._step)
        self._device = device
        if device:
            self._store.start(self.run, device)
        self._evaluated = -1
        before = self._store.read(parent, max(0, self._step - 1), self._step) if parent else None
        self._logged = LoggedRun(self.tasks, before)
        self._over = False
        self._post = BackgroundWriter(self._store, self.run)
        atexit.register(self._post.close)
        self._listener: Listener | None = None
        self._checkpoint, self._asks = checkpoint, False
        if checkpoint is not None:
            self._listen()

    @property
    def step(self) -> int:
        """The last step that was logged; before the first, 0 or the step of the fork."""
        return self._step

    @property
    def stopped(self) -> bool:
        """Whether a page has stopped the run, for a loop `while not recorder.stopped`; waits while it is paused.

        A loop that never asks ends by a StoppedError, which `log` or `knobs` raises and the `with` block takes.
        """
        self._asks = True
        if not self._over:
            if self._listener is None:
                self._listen()
            self._obey()
        return self._listener is not None and self._listener.stopped

    def knobs(self, **declared: Knob | float | Sequence[float]) -> SimpleNamespace:
        """Return the live values of all knobs, which a page may have changed; waits while the run is paused.

        declared: names and first values, or a `Knob` with a range; of a name that is known, the live value counts.
            An int stays a whole number and a bool a switch; several numbers become a tuple.
        Call it in each step before the values are used: `now = recorder.knobs(alpha=0.12)`, then `now.alpha`.
        Raises ValueError for what is no knob and for a run that has ended, StoppedError as `stopped` says.
        """
        self._check_going()
        listener = self._listener or self._listen()
        new = {name: knob for name, knob in declared.items() if name not in listener.knobs}
        if new:
            listener.declare({name: named(name, knob) for name, knob in new.items()})
            self._describe(steered=listener.steering.plain())
        self._obey()
        return SimpleNamespace(**listener.values)

    def log(
        self,
        balance: Balance | None = None,
        *,
        losses: Any = None,
        weights: Any = None,
        norms: Any = None,
        targets: Any = None,
        loss_ratios: Any = None,
        relative_rates: Any = None,
        alpha: float | None = None,
        step: int | None = None,
    ) -> None:
        """Log one training step; the numbers are taken at once, so that tensors may be changed afterwards.

        balance: what `GradNorm.backward` returned, which has all of the following but alpha; or instead:
        losses: L_i(t), shape [T], as a tensor, a sequence of numbers or scalar tensors, or a mapping from tasks to
            them; None, or a missing name, is a task that is absent. The other vectors are given alike.
        weights: w_i(t).  norms: G_i(t), the norm of each weighted loss's gradient at the shared layer.
        targets: Ḡ·r_i^α.  loss_ratios: L_i(t)/L_i(0), relative_rates: r_i(t); left out, both are taken from losses.
        alpha: the asymmetry α used.  step: t, only to be checked; steps follow one another from 1.
        Raises ValueError for vectors that are not of length T, a step out of turn, or a run that has ended.
        """
        self._check_going()
        if step is not None and step != self._step + 1:
            raise ValueError(
                f"Step {self._step + 1} should be logged next, since steps follow one another. Found {step}. "
                "Log each step once and in order, or leave step out."
            )
        logged = measured(balance) if balance is not None else {}
        own = {"losses": losses, "weights": weights, "gradient_norms": norms, "targets": targets}
        own |= {"loss_ratios": loss_ratios, "relative_rates": relative_rates}
        logged |= {name: value for name, value in own.items() if value is not None}
        if not logged:
            raise ValueError("log should get what a step brought. Found nothing. Pass a Balance, or losses=….")
        imbalance = logged.pop("imbalance", None)
        read = {name: task_vector(name, value, self.tasks) for name, value in logged.items()}
        self._name_device(losses if balance is None else balance.losses)
        self._step += 1
        if losses is not None:
            self._logged.note(self._step, task_numbers("losses", losses, self.tasks))
        if not self._spec["targets"] and "targets" in read:
            self._describe(targets=True)
        self._post.put(self._logged.step(self._step, read, imbalance, alpha))
        self._obey()

    def evaluate(
        self,
        losses: Any,
        metrics: Sequence[Mapping[str, Any]] | Mapping[str, Mapping[str, Any]] = (),
        *,
        constant_losses: Any = None,
    ) -> None:
        """Log an evaluation of the network as it is after the last step that was logged; best one before the first.

        losses: of the test set, shape [T], as in `log`.  metrics: for each task names and values, as in
            [{"rmse": 0.6}, {"angle_mean": 21.0}], or the same by task; any names will do.
        constant_losses: what the best constant answers would lose, shape [T].
        The loss ratios L_i(t)/L_i(0) are those to the first evaluation.
        Raises ValueError for a wrong length, a second evaluation of a step, or a run that has ended.
        """
        self._check_going()
        if self._evaluated == self._step:
            raise ValueError(
                f"A step should be evaluated once. Found a second evaluation of step {self._step}. "
                "Log a step in between."
            )
        test_losses = task_vector("losses", losses, self.tasks)
        scores = task_metrics(metrics, self.tasks)
        constant = () if constant_losses is None else task_vector("constant_losses", constant_losses, self.tasks)
        self._evaluated = self._step
        names = [list(dict.fromkeys([*old, *new])) for old, new in zip(self._metrics, scores, strict=True)]
        if names != self._metrics:
            self._describe(metrics=names)
        self._post.put(self._logged.evaluation(self._step, test_losses, scores, constant))

    def event(self, key: str, value: Any) -> None:
        """Log a change that the next step is the first to use, as in event("learning_rate", 0.001); charts mark it.

        value: what `key` became, of plain JSON types.
        Raises ValueError for a run that has ended, TypeError for a value that JSON does not have.
        """
        self._check_going()
        json.dumps(json_safe(value))  # what JSON does not have is told now, not by the thread that writes
        self._post.put(Event(self._step + 1, key, value, time.time()))

    def flush(self) -> None:
        """Write what was logged now; once this returns it survives the process."""
        self._post.flush()

    def end(self, kind: OutcomeKind = "finished", message: str = "") -> None:
        """End the run, with all that was logged; nothing if it has ended. message: a sentence that is shown with it."""
        if self._over:
            return
        if kind == "finished" and self._listener is not None and self._listener.stopped:
            stopped = filled("Stopped from a page after {steps:,} steps.", steps=self._step)
            self._finish(Outcome("stopped", self._step, message or stopped))
        elif kind == "finished" and self._logged.unsound:
            task, (step, value) = next(iter(self._logged.unsound.items()))
            told = {"task": task, "value": str(value), "step": step}
            parts = [
                filled("The loss of '{task}' became {value} at step {step:,}.", **told),
                filled("Try a learning rate ten times lower."),
            ]
            self._finish(Outcome("diverged", self._step, message or joined(parts, " "), task, value))
        else:
            self._finish(Outcome(kind, self._step, message or Text(_ENDINGS[kind], {"steps": self._step})))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, NonFiniteLossError) and not self._over:
            self._finish(Outcome("diverged", self._step, str(error), error.task, error.value))
        elif error is None or isinstance(error, StoppedError) or (isinstance(error, SystemExit) and not error.code):
            self.end()
        elif isinstance(error, KeyboardInterrupt | GeneratorExit):
            self.end("stopped", filled("Stopped by hand after {steps:,} steps.", steps=self._step))
        else:
            self.end("failed", f"{type(error).__name__}: {error}")
        return isinstance(error, StoppedError)

    @property
    def _metrics(self) -> list[list[str]]:
        return self._spec["metrics"] or [[] for _ in self.tasks]

    def _name_device(self, losses: Any) -> None:
        """Take the device from a tensor, where nobody has named it."""
        if not self._device and (device := device_of(losses)):
            self._device = device
            with suppress(UnknownRunError, StoreError):
                self._store.start(self.run, device)

    def _describe(self, **changes: Any) -> None:
        """Change what the run says of itself."""
        self._spec |= changes
        self._post.put(dict(self._spec))

    def _listen(self) -> Listener:
        listener = self._listener = Listener(self._store, self.run, self._post, self._checkpoint)
        atexit.register(listener.close)
        self._describe(steered=listener.steering.plain())
        return listener

    def _obey(self) -> None:
        if self._listener is not None:
            self._listener.obey(self._step)
            if self._listener.stopped and not self._asks:
                raise StoppedError(self._step)

    def _finish(self, outcome: Outcome) -> None:
        self._over = True
        if self._listener is not None:
            atexit.unregister(self._listener.close)
            self._listener.close()
        atexit.unregister(self._post.close)
        self._post.put(outcome)
        self._post.close()
        self._store.close()

    def _check_going(self) -> None:
        if self._over:
            raise ValueError("The run should be going on. Found that it has ended. Make a new Recorder.")
