"""What every weighting method is: a frozen set of hyperparameters and a pure function.

Symbols, as in the paper: T tasks; w loss weights; L losses; G gradient norms; r relative inverse
training rates. A vector of length T holds NaN where a task is absent from the batch.

The arithmetic is along the last axis, so that one call serves n runs of one method: vectors are then of shape
[n, T], scalars of shape [n], and a hyperparameter that differs from run to run is a tensor of shape [n, 1].
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from itertools import islice
from typing import Any, ClassVar, Literal, final

from pydantic import BaseModel, ConfigDict, Field

from gradnorm.common.shapes import Gramian, Mean, PerTask, Scalar

Kind = Literal["regression", "classification"]

# A weight never reaches zero: from there no factor could bring it back.
MIN_WEIGHT = 1e-8

# The smallest normal number of single precision: added to both sides of a ratio it makes 0/0 a 1 and changes no other.
_TINY = 1.1754944e-38


class Needs(StrEnum):
    """What a method has to be told at each step, cheapest first."""

    LOSSES = "losses"
    NORMS = "norms"
    GRAMIAN = "gramian"


class NonFiniteLossError(ValueError):
    """A task's loss is NaN or infinite: the run has diverged."""

    def __init__(self, task: str, value: float) -> None:
        self.task = task
        self.value = value
        super().__init__(
            f"The loss of {task!r} should be finite. Found {value}. "
            "Lower the learning rate, or check the batch for missing values."
        )


@dataclass(frozen=True)
class Signal:
    """What was measured at one step.

    losses: L_i(t) ≥ 0, shape [T]; NaN where task i is absent from the batch.
    norms: ‖∇_W L_i‖₂ of the *unweighted* losses at the shared layer, shape [T]; None if not measured.
    gramian: ∇L_i·∇L_j over all shared parameters, shape [T, T]; None if not measured.
    step: t, from 1.
    complete: whether every task is present and always was, which makes for fewer operations.
    """

    losses: PerTask
    norms: PerTask | None = None
    gramian: Gramian | None = None
    step: int = 1
    complete: bool = False

    def mean(self, values: PerTask) -> Mean:
        """Return the mean over the tasks that are present, shape [1]."""
        return values.mean(-1, keepdim=True) if self.complete else values.nanmean(-1, keepdim=True)


@dataclass(frozen=True)
class State:
    """What a method carries from step to step; a value, never changed in place.

    weights: w(t), shape [T], to be used at the next step.
    initial_losses: L_i(0), shape [T]; NaN for a task that was never seen.
    memory: whatever else the method keeps, by name.
    """

    weights: PerTask
    initial_losses: PerTask
    memory: Mapping[str, PerTask] = field(default_factory=dict[str, PerTask])


@dataclass(frozen=True)
class Balance:
    """What a balancer measured and decided at one step. All tensors are detached, of shape [T].

    weights: w(t), the weights used in this step's backward pass.
    losses: L_i(t).  loss_ratios: L_i(t)/L_i(0).  relative_rates: r_i(t), mean 1.
    gradient_norms: G_i(t) = ‖∇_W w_i L_i‖₂, None if the norms were not measured.
    targets: Ḡ·r_i^α, and imbalance: L_grad (a scalar); None for methods without a target.
    """

    weights: PerTask
    losses: PerTask
    loss_ratios: PerTask
    relative_rates: PerTask
    gradient_norms: PerTask | None = None
    targets: PerTask | None = None
    imbalance: Scalar | None = None

    def numbers(self) -> dict[str, tuple[float, ...] | float | None]:
        """Return every field as plain numbers, with one transfer from the device.

        A vector becomes a tuple of T floats, the imbalance a float, and what was not measured stays None.
        """
        import torch

        plain: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        measured = {name: value for name, value in plain.items() if value is not None}
        # Joined in the highest precision among them, so that none is rounded.
        joined = iter(torch.cat([value.reshape(-1) for value in measured.values()]).tolist())
        for name, value in measured.items():
            plain[name] = next(joined) if value.ndim == 0 else tuple(islice(joined, value.numel()))
        return plain


@dataclass(frozen=True)
class Decision:
    """A method's own part of a step: w(t+1), its memory, and the target it steered to, if any.

    used: w(t), where the method chooses it from this step's signal; None leaves it at the state's weights.
    """

    weights: PerTask
    memory: Mapping[str, PerTask]
    targets: PerTask | None = None
    imbalance: Scalar | None = None
    used: PerTask | None = None


class Method(BaseModel, ABC):
    """A weighting method: its fields are its hyperparameters, declared once with range, default and help."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    citation: ClassVar[str]
    needs: ClassVar[Needs]
    # Whether the method steers gradient norms to targets, which charts then show.
    sets_targets: ClassVar[bool] = False
    # What is promised of the weights of present tasks: each above 0; their sum T.
    positive: ClassVar[bool] = True
    sums_to_tasks: ClassVar[bool] = False
    # Whether the weights are for the shared parameters alone; each head then gets its own loss's gradient.
    trunk_only: ClassVar[bool] = False
    # Packages that it imports besides those of every installation; see `gradnorm.common.extras`.
    packages: ClassVar[tuple[str, ...]] = ()

    def check(self, tasks: int) -> None:
        """Raise ValueError if these hyperparameters do not fit T tasks."""

    @abstractmethod
    def start(self, ones: PerTask, kinds: Sequence[Kind]) -> State:
        """Return the state before the first step; `ones` gives length, precision and device."""

    @abstractmethod
    def decide(self, state: State, signal: Signal, relative_rates: PerTask) -> Decision:
        """Return w(t+1) and what led to it."""

    @final
    def balance(self, state: State, signal: Signal) -> tuple[Balance, State]:
        """Return what happened at this step and the state for the next one.

        L̃_i = L_i(t)/L_i(0) and r_i = L̃_i / mean_j L̃_j (section 3.1 of the paper), means over the
        tasks that are present. L_i(0) is the first loss seen of task i, unless the state has it.
        """
        losses, initial = signal.losses, state.initial_losses
        if signal.step == 1 or not signal.complete:
            initial = losses.where(initial.isnan(), initial)
        ratios = losses / initial
        # With every loss at zero all tasks have trained equally far: r_i = 1.
        rates = (ratios + _TINY) / (signal.mean(ratios) + _TINY)
        decision = self.decide(state, signal, rates)
        weights = state.weights if decision.used is None else decision.used
        balance = Balance(
            weights=weights,
            losses=losses,
            loss_ratios=ratios,
            relative_rates=rates,
            gradient_norms=None if signal.norms is None else weights * signal.norms,
            targets=decision.targets,
            imbalance=decision.imbalance,
        )
        return balance, State(decision.weights, initial, decision.memory)


def step_size(default: float, description: str) -> Any:
    """Return the declaration of a weight learning rate in (0, 1], which may be changed in mid-run."""
    return Field(
        default,
        gt=0,
        le=1,
        title="Weight learning rate",
        description=description,
        json_schema_extra={"live": True},
    )


def fresh_state(ones: PerTask, memory: Mapping[str, PerTask] | None = None) -> State:
    """Return the common start: all weights 1, no initial losses yet."""
    return State(ones.clone(), ones * float("nan"), memory or {})


def keep_absent(new: PerTask, old: PerTask, losses: PerTask) -> PerTask:
    """Return `new` where a task is present and `old` where it is absent (NaN loss)."""
    return old.where(losses.isnan(), new)


def renormalize(weights: PerTask, old: PerTask, signal: Signal) -> PerTask:
    """Return weights that sum to T, scaled among the present tasks only (Algorithm 1, last line).

    weights: proposed w(t+1) > 0, shape [T].  old: w(t), which absent tasks keep.
    signal: tells which tasks are absent.
    """
    tasks = weights.shape[-1]
    weights = weights.clamp(min=MIN_WEIGHT)
    if signal.complete:
        return weights * (tasks / weights.sum(-1, keepdim=True))
    present = ~signal.losses.isnan()
    weights = keep_absent(weights, old, signal.losses)
    room = tasks - (weights * ~present).sum(-1, keepdim=True)
    scale = room / (weights * present).sum(-1, keepdim=True)
    return (weights * scale).where(present, weights)
