"""The base class of all weighting methods: frozen hyperparameters and a pure function from step to step.

Symbols, as in the paper: T tasks; t the step; W the last shared layer; w loss weights; L losses; G norms of the
weighted gradients at W; r relative inverse training rates; α the asymmetry. A vector of length T holds NaN where
a task is absent from the batch.

The arithmetic is along the last axis, so that one call serves n runs of one method. Vectors then have the shape
[n, T], scalars the shape [n], and a hyperparameter that differs from run to run is a tensor of shape [n, 1].
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Literal, final

from pydantic import BaseModel, ConfigDict, Field

from gradnorm.common.shapes import PerTask
from gradnorm.methods.balance import Balance, Decision, Kind, NonFiniteLossError, Unmeasured
from gradnorm.methods.signal import Needs, Signal, State

__all__ = ["Balance", "Decision", "Kind", "Method", "Needs", "NonFiniteLossError", "Signal", "State"]

# The least weight. From zero no factor could bring a weight back.
MIN_WEIGHT = 1e-8

# The smallest normal number in single precision. Added to both sides of a ratio it turns 0/0 into 1 and changes
# no other ratio.
_TINY = 1.1754944e-38

# No ratio counts as more, so that sums of ratios stay finite in single precision.
_HUGE = 1e36

# Weights lie in [1e-8, 1e8]: no bound asks for a larger factor than e^25, and single precision for no more halvings.
_LARGEST_SHIFT, _HALVINGS = 25.0, 48

# No proposed weight counts as more. Against it the least weight still keeps a positive share.
_MAX_WEIGHT = 1e8


Heads = Literal["weighted", "own"]


def heads_field(default: Heads) -> Any:
    """Return the declaration of what the heads get. default: its default."""
    return Field(
        default=default,
        title="Heads",
        description="weighted: the weights apply to all parameters. own: each head gets the gradient of its own loss.",
    )


class Method(BaseModel, ABC):
    """A weighting method. Its fields are its hyperparameters, each declared with range, default and help.

    A subclass sets these class variables:

    name: the key in specs, URLs and on the command line.
    title: what the pages call it.  summary: one sentence for the picker.  citation: a BibTeX entry.
    needs: what has to be measured for it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    citation: ClassVar[str]
    needs: ClassVar[Needs]
    # Whether the method steers gradient norms towards targets; charts then show them.
    sets_targets: ClassVar[bool] = False
    # What is promised of the weights of present tasks: each above 0; their sum T.
    positive: ClassVar[bool] = True
    sums_to_tasks: ClassVar[bool] = False
    # Whether w(t) is what step t − 1 decided, so that the norms of step t are not needed for it.
    ahead: ClassVar[bool] = False
    # Packages that it imports besides those of every installation; see `gradnorm.common.extras`.
    packages: ClassVar[tuple[str, ...]] = ()
    # What options that came later mean in a spec that was written before them.
    former: ClassVar[Mapping[str, Any]] = {"heads": "weighted"}

    heads: Heads = heads_field("weighted")

    def check(self, tasks: int) -> None:
        """Raise ValueError if these hyperparameters do not fit a number of tasks.

        tasks: T ≥ 1.
        """

    def trained(self, tasks: int) -> Sequence[int]:
        """Return which tasks the network is to get better at, as indices from 0.

        tasks: T ≥ 1.
        """
        return range(tasks)

    def due(self, step: int) -> bool:
        """Whether what the method needs has to be measured at a step; where it has not, the weights stay.

        step: t, from 1.
        """
        return True

    @abstractmethod
    def start(self, ones: PerTask, kinds: Sequence[Kind]) -> State:
        """Return the state before the first step.

        ones: a vector of ones, shape [T], with the precision and the device that the state should have.
        kinds: "regression" or "classification" for each of the T tasks.
        """

    @abstractmethod
    def decide(self, state: State, signal: Signal, relative_rates: PerTask) -> Decision:
        """Return the weights w(t+1) of the next step, or those of this step as `Decision.used`.

        It must not change `state` or `signal` in place, since a step may be taken again.

        state: what the last step left.
        signal: what was measured at this step.
        relative_rates: r_i(t), shape [T], NaN for absent tasks.
        """

    @final
    def balance(self, state: State, signal: Signal) -> tuple[Balance, State]:
        """Return what this step measured and decided, and the state for the next step.

        Every method reports L̃_i = L_i(t)/L_i(0) and r_i = L̃_i / mean_j L̃_j (section 3.1 of the GradNorm
        paper). The mean is over the tasks that are present.

        state: what the last step left.  L_i(0) is the first loss of task i, unless the state has one.
        signal: what was measured at this step.
        """
        losses, initial = signal.losses, state.initial_losses
        if signal.step == 1 or not signal.complete:
            initial = losses.where(initial.isnan(), initial)
        if not self.due(signal.step) and signal.norms is None:
            unmeasured = Unmeasured(state.weights, losses, partial(_ratios, signal, initial))
            return unmeasured, State(state.weights, initial, state.memory)
        ratios, rates = _ratios(signal, initial)
        due = self.due(signal.step)
        decision = self.decide(state, signal, rates) if due else Decision(state.weights, state.memory)
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


def _ratios(signal: Signal, initial: PerTask) -> tuple[PerTask, PerTask]:
    """Return L̃_i = L_i(t)/L_i(0) and r_i, shape [T] each. initial: L_i(0)."""
    ratios = (signal.losses / initial).clamp(max=_HUGE)
    # With every loss at zero all tasks have trained equally far: r_i = 1.
    rates = (ratios + _TINY) / (signal.mean(ratios) + _TINY)
    return ratios, rates


def step_size(default: float, description: str, **extra: Any) -> Any:
    """Return the declaration of a weight learning rate in (0, 1] that may be changed during a run.

    default: its default.  description: the line of help.  extra: what else is declared; see `Option.extra`.
    """
    return Field(
        default,
        gt=0,
        le=1,
        title="Weight learning rate",
        description=description,
        json_schema_extra={"live": True, **extra},
    )


def fresh_state(ones: PerTask, memory: Mapping[str, PerTask] | None = None) -> State:
    """Return a state with all weights 1 and no initial losses yet.

    ones: a vector of ones, shape [T], with precision and device.  memory: what else the method keeps.
    """
    return State(ones.clone(), ones * float("nan"), memory or {})


def keep_absent(new: PerTask, old: PerTask, losses: PerTask) -> PerTask:
    """Return `new` for the tasks that are present and `old` for those that are absent.

    new, old: shape [T].  losses: shape [T], NaN for an absent task.
    """
    return old.where(losses.isnan(), new)


def renormalize(weights: PerTask, old: PerTask, signal: Signal) -> PerTask:
    """Return weights that sum to T: w_i·T/Σ_j w_j (the last line of Algorithm 1).

    weights: the proposed w(t+1), shape [T]; each is brought into [1e-8, 1e8] first.
    old: w(t), shape [T]; absent tasks keep theirs, and only the others are scaled. If the absent ones have all of T,
        the others get 1e-8 each.
    signal: its losses tell which tasks are absent.

    >>> import torch
    >>> renormalize(torch.tensor([1.0, 3.0]), torch.ones(2), Signal(torch.tensor([0.5, 0.5])))
    tensor([0.5000, 1.5000])
    """
    tasks = weights.shape[-1]
    weights = weights.clamp(MIN_WEIGHT, _MAX_WEIGHT)
    if signal.complete:
        return weights * (tasks / weights.sum(-1, keepdim=True))
    present = ~signal.losses.isnan()
    weights = keep_absent(weights, old, signal.losses)
    remaining = tasks - (weights * ~present).sum(-1, keepdim=True)
    # As torch divides a number by a tensor, above: with every task present both give the same bits.
    scale = (weights * present).sum(-1, keepdim=True).reciprocal() * remaining
    return (weights * scale).clamp(min=MIN_WEIGHT).where(present, weights)


def bounded(weights: PerTask, signal: Signal, least: Any, most: Any) -> PerTask:
    """Return the weights with the least change of ratios that lie in [least, most] and have the same sum.

    A bound that this sum does not allow, since absent or held tasks keep the rest, gives way to the mean.

    weights: > 0, shape [T]; absent tasks keep theirs.
    signal: its losses tell which tasks are absent.
    least: in [0, 1].  most: ≥ 1; T or more is no bound.

    >>> import torch
    >>> bounded(torch.tensor([0.1, 0.4, 2.5]), Signal(torch.ones(3)), 0.25, 3)
    tensor([0.2500, 0.3793, 2.3707])
    """
    if isinstance(least, float) and isinstance(most, float) and least <= 0 and most >= weights.shape[-1]:
        return weights
    present = ~signal.losses.isnan()
    total = (weights * present).sum(-1, keepdim=True)
    mean = total / present.sum(-1, keepdim=True)
    least, most = mean.clamp(max=least), mean.clamp(min=most)
    # Σ_i min(max(e^c·w_i, least), most) grows with c: halve the interval in which it is the sum.
    low, high = total * 0 - _LARGEST_SHIFT, total * 0 + _LARGEST_SHIFT
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        reached = ((weights * middle.exp()).clamp(min=least).clamp(max=most) * present).sum(-1, keepdim=True) >= total
        low, high = low.where(reached, middle), middle.where(reached, high)
    return (weights * high.exp()).clamp(min=least).clamp(max=most).where(present, weights)
