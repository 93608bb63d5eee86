"""One run, from its spec to its records."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from gradnorm.balancer import Balancer
from gradnorm.balancing.base import Balance, NonFiniteLossError
from gradnorm.datasets.base import Batch, Source
from gradnorm.metrics import constant_losses, evaluate, task_losses
from gradnorm.models.mlp import MLP
from gradnorm.records import Checkpoint, Evaluation, Outcome, Record, StepRecord
from gradnorm.spec import RunSpec, SpecError
from gradnorm.training.checkpoint import Saved, pack, unpack
from gradnorm.training.control import Control
from gradnorm.training.optimizers import Optimizer, optimizer


def train(
    spec: RunSpec,
    control: Control | None = None,
    on_device: Callable[[str], None] | None = None,
    *,
    start: Checkpoint | None = None,
    branch: bool = False,
) -> Iterator[Record]:
    """Train, and yield what happened: a StepRecord for each step, Evaluations, Checkpoints, and an Outcome last.

    The first item is the evaluation of the untrained network (step 0), which gives the L_i(0) of the test
    losses; then one every `spec.eval_every` steps, and one at the end.
    control: steers the run from another thread; see `Control`.
    on_device: told the name of the device once the run is built.
    start: goes on from a checkpoint of this run instead, with the very numbers of a run never interrupted.
    branch: `start` is another run's, of the same data and network; the first item is then its evaluation.
    Raises SpecError if the spec asks for a device that is not there. A loss that is not finite is no
    exception: the run's Outcome is then "diverged".
    """
    control = control or Control()
    run = Run.build(spec)
    if on_device is not None:
        on_device(device_name(run.device))
    if start is not None:
        run.restore(start, branch)
    if start is None or branch:
        yield run.evaluate()
    pacer = Pacer(spec.pace)
    while run.taken < spec.steps:
        if control.stopping:
            if spec.checkpoint_every:
                yield run.checkpoint()
            yield Outcome("stopped", run.taken, f"Stopped by hand after {run.taken:,} steps.")
            return
        changes = control.take_changes()
        if changes:
            run.balancer.retune(**changes)
            if spec.checkpoint_every:
                yield run.checkpoint()  # or a resumed run would not know of the change
        pacer.wait()
        try:
            yield run.step()
        except NonFiniteLossError as error:
            yield _diverged(error, run.taken + 1)
            return
        last = run.taken == spec.steps
        if run.taken % spec.eval_every == 0 or last:
            evaluation = run.evaluate()
            yield evaluation
            if not all(map(math.isfinite, evaluation.losses)):
                i = next(i for i, loss in enumerate(evaluation.losses) if not math.isfinite(loss))
                yield _diverged(NonFiniteLossError(run.balancer.names[i], evaluation.losses[i]), run.taken)
                return
        if spec.checkpoint_every and (run.taken % spec.checkpoint_every == 0 or last):
            yield run.checkpoint()
    yield Outcome("finished", spec.steps, f"Finished all {spec.steps:,} steps.")


@dataclass
class Run:
    """What one run holds: data, network, its optimizer and the balancer, all on one device.

    constant_losses: see `Evaluation`.  taken: steps so far.  initial: the evaluation before the first step.
    """

    spec: RunSpec
    source: Source
    model: MLP
    optimizer: Optimizer
    balancer: Balancer
    test: Batch
    device: torch.device
    constant_losses: tuple[float, ...]
    taken: int = 0
    initial: Evaluation | None = None

    @classmethod
    def build(cls, spec: RunSpec) -> Run:
        """Return a run before its first step. Raises SpecError for a device that is not there."""
        device = resolve_device(spec.device)
        if spec.threads and device.type == "cpu":
            torch.set_num_threads(spec.threads)
        source = spec.dataset.load(spec.seed)
        model = MLP(
            source.features,
            source.tasks,
            width=spec.width,
            depth=spec.depth,
            initialization=spec.initialization,
            seed=spec.seed,
        ).to(device)
        balancer = Balancer(
            [task.name for task in source.tasks],
            spec.method,
            kinds=[task.kind for task in source.tasks],
            watch_norms=spec.watch_norms,
        )
        test = _to(source.test, device)
        constant = tuple(constant_losses(source.test, source.tasks))
        moves = optimizer(spec.optimizer, model.parameters(), spec.learning_rate)
        return cls(spec, source, model, moves, balancer, test, device, constant)

    def checkpoint(self) -> Checkpoint:
        """Return the whole state after the steps taken."""
        assert self.initial is not None, "A run is evaluated before its first step"
        states = (self.model.state_dict(), self.spec.optimizer, self.optimizer.state_dict(), self.balancer.state_dict())
        return pack(Saved(self.taken, *states, initial=self.initial))

    def restore(self, checkpoint: Checkpoint, branch: bool) -> None:
        """Take over a checkpoint's state; in a branch, as far as the method and the optimizer are the same."""
        saved = unpack(checkpoint, self.device)
        self.taken, self.initial = saved.step, saved.initial
        self.model.load_state_dict(saved.model)
        if saved.optimizer_kind == self.spec.optimizer:
            self.optimizer.load_state_dict(saved.optimizer)
        if branch:
            self.balancer.inherit(saved.balancer)
        else:
            self.balancer.load_state_dict(saved.balancer)

    def step(self) -> StepRecord:
        """Take the next step. Raises NonFiniteLossError before anything has changed."""
        step = self.taken + 1
        batch = _to(self.source.batch(step, self.spec.batch_size), self.device)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.spec, step)
        self.optimizer.zero_grad(set_to_none=True)
        features = self.model.shared(batch.inputs)
        losses = task_losses(self.model.predict(features), batch.targets, self.source.tasks)
        alpha = getattr(self.balancer.method, "alpha", None)
        W = self.model.last_shared_layer
        trunk = (*self.model.trunk.parameters(), *W.parameters())
        balance = self.balancer.backward(losses, shared=W, features=features, trunk=trunk)
        self.optimizer.step()
        self.taken = step
        return _record(step, balance, alpha)

    def evaluate(self) -> Evaluation:
        """Return the network's losses and metrics on the test set; the first evaluation gives L_i(0)."""
        losses, scores = evaluate(self.model, self.test, self.source.tasks)
        first = self.initial.losses if self.initial else losses
        ratios = tuple(loss / initial for loss, initial in zip(losses, first, strict=True))
        evaluation = Evaluation(
            step=self.taken,
            losses=tuple(losses),
            loss_ratios=ratios,
            task_normalized_loss=sum(ratios),
            metrics=tuple({task.metric: s} for task, s in zip(self.source.tasks, scores, strict=True)),
            constant_losses=self.constant_losses,
        )
        self.initial = self.initial or evaluation
        return evaluation


class Pacer:
    """Holds a loop back to `pace` rounds a second; 0 lets it run."""

    def __init__(self, pace: float) -> None:
        self._interval = 1 / pace if pace else 0.0
        self._due: float | None = None

    def wait(self) -> None:
        """Return when the next round is due. Time lost to a pause is not made up for."""
        if not self._interval:
            return
        now = time.monotonic()
        # A little delay is caught up, so that the mean pace holds; a pause is not.
        due = now if self._due is None else max(self._due + self._interval, now - 10 * self._interval)
        self._due = due
        if due > now:
            time.sleep(due - now)


def learning_rate(spec: RunSpec, step: int) -> float:
    """Return the network's learning rate at step t: constant, or η·½(1 + cos(π(t−1)/steps)) for "cosine"."""
    if spec.schedule == "constant":
        return spec.learning_rate
    return spec.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - 1) / spec.steps))


def resolve_device(name: str) -> torch.device:
    """Return the device for "auto", "cpu" or "cuda". Raises SpecError if there is no GPU for "cuda"."""
    gpu = count_gpus() > 0
    if name == "cuda" and not gpu:
        raise SpecError(
            "device should be one that this machine has. Found 'cuda', but no GPU is visible to torch. "
            "Use --device cpu, or install a CUDA build of torch."
        )
    return torch.device("cuda" if gpu and name != "cpu" else "cpu")


def count_gpus() -> int:
    """Return how many GPUs torch can use."""
    with warnings.catch_warnings():
        # A machine with a driver but no GPU makes torch warn; the answer is all that counts here.
        warnings.simplefilter("ignore")
        return torch.cuda.device_count() if torch.cuda.is_available() else 0


def use_gpu(index: int) -> None:
    """Let this thread's runs on "cuda" go to one GPU, taking turns where there are fewer GPUs than workers."""
    gpus = count_gpus()
    if gpus:
        torch.cuda.set_device(index % gpus)


def device_name(device: torch.device) -> str:
    """Return what a person calls the device: "cpu" or the GPU's name."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def _to(batch: Batch, device: torch.device) -> Batch:
    if device.type == "cpu":
        return batch
    move = [t.pin_memory().to(device, non_blocking=True) for t in (batch.inputs, *batch.targets)]
    return Batch(move[0], tuple(move[1:]))


def _record(step: int, balance: Balance, alpha: float | None) -> StepRecord:
    """Return the plain numbers of a step; one transfer from the device."""
    parts: Sequence[Tensor | None] = (
        balance.losses,
        balance.weights,
        balance.loss_ratios,
        balance.relative_rates,
        balance.gradient_norms,
        balance.targets,
    )
    present = [part for part in parts if part is not None]
    if balance.imbalance is not None:
        present.append(balance.imbalance.reshape(1))
    numbers = cast("list[float]", torch.cat(present).tolist())
    tasks = len(balance.weights)
    vectors = iter(range(0, len(numbers), tasks))
    losses, weights, ratios, rates, norms, targets = (
        None if part is None else tuple(numbers[(at := next(vectors)) : at + tasks]) for part in parts
    )
    assert losses is not None and weights is not None and ratios is not None and rates is not None  # noqa: PT018
    return StepRecord(
        step=step,
        losses=losses,
        weights=weights,
        loss_ratios=ratios,
        relative_rates=rates,
        gradient_norms=norms,
        targets=targets,
        imbalance=None if balance.imbalance is None else numbers[-1],
        alpha=alpha,
    )


def _diverged(error: NonFiniteLossError, step: int) -> Outcome:
    message = (
        f"The loss of {error.task!r} became {error.value} at step {step:,}. "
        "Try a learning rate ten times lower, or standardised targets."
    )
    return Outcome("diverged", step, message, task=error.task, value=error.value)
