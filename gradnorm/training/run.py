"""What one run holds, however it is stepped."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn

from gradnorm.balancer.balancer import Balancer
from gradnorm.common.texts import filled, joined, later
from gradnorm.config import memory
from gradnorm.config.spec import RunSpec, SpecError
from gradnorm.datasets.base import Batch, Source
from gradnorm.datasets.problems.base import Problem
from gradnorm.datasets.readers.folders import DataError
from gradnorm.metrics import constant_losses, constant_metrics, evaluate, evaluate_problem
from gradnorm.models.build import build
from gradnorm.models.network import Network
from gradnorm.runs.records import Checkpoint, Evaluation
from gradnorm.training.best import Best, validation_loss
from gradnorm.training.checkpoint import Saved, pack, unpack
from gradnorm.training.prefetcher import block_of
from gradnorm.training.processes import check, first

# Steps between two looks at the validation rows.
LEAST_BETWEEN = 10
# How a run that is over has ended: by whether it ended early, and whether its rows were counted in epochs.
_ENDINGS = {
    (True, True): later(
        "Finished after {taken:,} of {steps:,} steps, which are {epochs:.3g} epochs, without a better validation loss."
    ),
    (True, False): later("Finished after {taken:,} of {steps:,} steps, without a better validation loss."),
    (False, True): later("Finished all {taken:,} steps, which are {epochs:.3g} epochs."),
    (False, False): later("Finished all {taken:,} steps."),
}


@dataclass
class Run:
    """What one run holds: data, network, balancer and the state of its optimizer, all on one device.

    constant_losses, constant_metrics: see `Evaluation`.  taken: steps so far.
    initial: the evaluation before the first step.
    best: the best network so far by its validation loss; None where the spec has no patience, or the data no
        validation rows.
    optimizer_state: by the place of each parameter in the network, as in `torch.optim.Optimizer.state_dict()`;
        what steps the run keeps it up to date for `checkpoint`.
    """

    spec: RunSpec
    source: Source
    model: nn.Module
    balancer: Balancer
    test: Batch
    device: torch.device
    constant_losses: tuple[float, ...]
    constant_metrics: tuple[Mapping[str, float], ...]
    taken: int = 0
    initial: Evaluation | None = None
    best: Best | None = None
    optimizer_state: Mapping[int, Mapping[str, Tensor]] = field(default_factory=dict[int, Mapping[str, Tensor]])

    @classmethod
    def build(cls, spec: RunSpec, source: Source | None = None) -> Run:
        """Return a run before its first step.

        Raises SpecError for a device that is not there, for a network or batches that would not fit into memory, and
        for what several processes cannot share.

        source: the spec's data, where another run has loaded them.
        """
        spec = spec.settled()
        check(spec)
        device = resolve_device(spec.device)
        source = source or spec.dataset.load(spec.seed)
        memory.check([spec], example_bytes(source))
        model = build(spec, source).to(device)
        balancer = Balancer(
            [task.name for task in source.tasks],
            spec.method,
            kinds=[task.kind for task in source.tasks],
            watch_norms=spec.watch_norms,
            seed=spec.seed,
            warns=False,  # a run has a notice instead: `gradnorm.runs.troubles`
        )
        test = to_device(source.test, device)
        if isinstance(spec.dataset, Problem):
            return cls(spec, source, model, balancer, test, device, (), ())
        constant = tuple(constant_losses(source.test, source.tasks)), tuple(constant_metrics(source.test, source.tasks))
        return cls(spec, source, model, balancer, test, device, *constant)

    @property
    def problem(self) -> Problem | None:
        """The problem that is trained; None where there are targets to learn."""
        return self.spec.dataset if isinstance(self.spec.dataset, Problem) else None

    @property
    def network(self) -> Network:
        """The model of a run that has targets to learn."""
        return cast("Network", self.model)

    def checkpoint(self) -> Checkpoint:
        """Return the whole state after the steps taken."""
        assert self.initial is not None, "A run is evaluated before its first step"
        return pack(
            Saved(
                self.taken,
                # Copies: of a view the whole tensor would be written that it is a part of.
                {name: value.clone() for name, value in self.model.state_dict().items()},
                self.spec.optimizer,
                {"state": {i: {k: v.clone() for k, v in own.items()} for i, own in self.optimizer_state.items()}},
                self.balancer.state_dict(),
                self.initial,
                vars(self.best).copy() if self.best else None,
            )
        )

    def restore(self, checkpoint: Checkpoint, branch: bool) -> None:
        """Take over a checkpoint's state; in a branch, as far as the method and the optimizer are the same."""
        saved = unpack(checkpoint, self.device)
        self.taken, self.initial = saved.step, saved.initial
        self.model.load_state_dict(saved.model)
        if saved.optimizer_kind == self.spec.optimizer:
            self.optimizer_state = saved.optimizer["state"]
        if branch:
            self.balancer.inherit(saved.balancer)
        else:
            self.balancer.load_state_dict(saved.balancer)
            self.best = Best(**saved.best) if saved.best else None

    @property
    def over(self) -> bool:
        """Whether the run has taken its steps, or has gone without a better validation loss for too long."""
        return self.taken >= self.spec.steps or self._stale

    @property
    def _stale(self) -> bool:
        return self.best is not None and self.taken - self.best.step >= self.spec.patience * self.spec.steps

    @property
    def ending(self) -> str:
        """How a run that is over has ended, in a sentence or two."""
        rows = self.source.examples if self.spec.epochs else None
        told: dict[str, float] = {"taken": self.taken, "steps": self.spec.steps}
        if rows:
            told["epochs"] = self.taken * self.spec.batch_size / rows
        parts = [filled(_ENDINGS[self._stale and self.taken < self.spec.steps, rows is not None], **told)]
        if self.best is not None:
            parts.append(filled("The network is the best one, of step {step:,}.", step=self.best.step))
        return joined(parts, " ")

    @property
    def block(self) -> int:
        """How many batches are made at one go."""
        if self.source.slow:
            return 1
        return block_of(example_bytes(self.source) * self.spec.batch_size)

    @property
    def alpha(self) -> float | None:
        """The asymmetry in force; None where the method has none."""
        return getattr(self.balancer.method, "alpha", None)

    def validate(self) -> None:
        """Note the network if it is the best one so far, once a pass over the rows and every ten steps at most.

        Goes back to the best one if the run is over.
        """
        if not self.spec.patience or self.source.validation is None:
            return
        every = max(LEAST_BETWEEN, math.ceil((self.source.examples or 0) / self.spec.batch_size))
        if self.taken % every and not self.over:
            return
        self.model.eval()
        tasks = self.source.tasks
        trained = self.spec.method.trained(len(tasks))
        rows = to_device(self.source.validation, self.device)
        score = first(validation_loss(self.model, rows, tasks, trained))
        self.model.train()
        if self.best is None or score < self.best.score:
            copied = {name: value.clone() for name, value in self.model.state_dict().items()}
            self.best = Best(score, self.taken, copied)
        elif self.over:
            self.model.load_state_dict(self.best.parameters)

    def evaluate(self) -> Evaluation:
        """Return the network's losses and metrics on the test set; the first evaluation gives L_i(0)."""
        self.model.eval()
        if self.problem is None:
            losses, scores = evaluate(self.model, self.test, self.source.tasks)
        else:
            losses, scores = evaluate_problem(self.problem, self.model, self.test.inputs)
        self.model.train()
        first = self.initial.losses if self.initial else losses
        for task, loss in zip(self.source.tasks, first, strict=True):
            if loss == 0:
                raise nothing_to_learn(task.name, "test set")
        ratios = tuple(loss / initial for loss, initial in zip(losses, first, strict=True))
        evaluation = Evaluation(
            step=self.taken,
            losses=tuple(losses),
            loss_ratios=ratios,
            task_normalized_loss=sum(ratios),
            metrics=tuple(scores),
            constant_losses=self.constant_losses,
            constant_metrics=self.constant_metrics,
        )
        self.initial = self.initial or evaluation
        return evaluation


def example_bytes(source: Source) -> int:
    """Return how many bytes one example takes, with its targets."""
    return sum(part[0].nbytes for part in (source.test.inputs, *source.test.targets))


def nothing_to_learn(task: str, where: str) -> DataError:
    """Return what is raised where a task's first loss is 0; where: "first batch" or "test set"."""
    return DataError(
        f"The {where} should have something to learn for {task!r}, since later losses are divided by its loss. "
        "Found a loss of 0, as where no target is known. Leave the task out, or give other data."
    )


def learning_rate(spec: RunSpec, step: int) -> float:
    """Return the network's learning rate at step t.

    η for "constant", η·½(1 + cos(π(t−1)/steps)) for "cosine", η·rate_decay^⌊(t−1)/rate_decay_every⌋ for "steps".
    """
    if spec.schedule == "constant":
        return spec.learning_rate
    if spec.schedule == "steps":
        return spec.learning_rate * spec.rate_decay ** ((step - 1) // spec.rate_decay_every)
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


def use_threads(count: int) -> None:
    """Let torch use so many threads for an operation in this process; 0 leaves it alone."""
    if count and torch.get_num_threads() != count:
        torch.set_num_threads(count)


def device_name(device: torch.device) -> str:
    """Return what a person calls the device: "cpu" or the GPU's name."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Return the batch on a device, by way of pinned memory where that helps."""
    if device.type == "cpu":
        return batch
    move = [t.pin_memory().to(device, non_blocking=True) for t in (batch.inputs, *batch.targets)]
    return Batch(move[0], tuple(move[1:]))
