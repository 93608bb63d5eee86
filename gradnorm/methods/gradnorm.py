"""GradNorm (Chen, Badrinarayanan, Lee, Rabinovich: ICML 2018, arXiv:1711.02257), Algorithm 1.

Symbols, as in the paper: w loss weights; G norms of the weighted gradients at the last shared layer W; Ḡ their
mean; r relative inverse training rates; α the asymmetry.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator

from gradnorm.common.declarations import numbers
from gradnorm.common.shapes import PerTask
from gradnorm.methods.adam import adam_memory, adam_step
from gradnorm.methods.base import (
    Decision,
    Heads,
    Kind,
    Method,
    Needs,
    Signal,
    State,
    bounded,
    fresh_state,
    heads_field,
    renormalize,
    step_size,
)

if TYPE_CHECKING:
    from torch import Tensor

Update = Literal["closed", "log", "adam", "sgd"]


class GradNormMethod(Method):
    """Pull every task's gradient norm towards the mean norm times its relative inverse training rate to the α.

    Moving w lowers L_grad = Σ_i |G_i − Ḡ·r_i^α| (Eq. 2 of the paper) with the target Ḡ·r_i^α held constant.
    The weights are then scaled to sum to T. A step at which a norm is not finite moves no weight.

    alpha: the asymmetry α, in [0, 5].
    update: "closed" takes the weights that meet the targets, w_i ∝ p_i·r_i^α/‖∇_W L_i‖, smoothed; "log" multiplies w_i
        by exp(∓weight_learning_rate); "adam" runs Adam on w; "sgd" gradient descent.
    weight_learning_rate: in (0, 1]; the paper uses 0.025 with Adam. Not of "closed".
    half_life: steps, > 0, after which a measurement counts half; of "closed", which takes the root mean square of the
        norms and the geometric mean of the rates.
    every: steps ≥ 1 between two measurements of the norms; the weights stay in between.
    priorities: p_i in [1e-6, 1e6], one a task, or none for 1: targets are Ḡ·p_i·r_i^α.
    least, most: bounds of every weight, in [0, 1] and [1, 64].
    hold: numbers of tasks, from 1, whose weight stays as it is.

    Paper: Chen, Badrinarayanan, Lee, Rabinovich, "GradNorm", ICML 2018 (arXiv:1711.02257), Algorithm 1.
    Differs from the paper, which is update="adam" with heads="weighted": Adam's steps of 0.025 are too coarse for a
    task whose weight has to be small (0.01, say), and a weighted head starves if its targets are large.
    Targets of "log" and "closed" are divided by the mean of r_j^α, which is 1 for α = 0 and 1: otherwise all norms can
    lie on one side of their targets, and no weight moves. Held tasks, priorities, bounds and `every` are additions.

    >>> import torch
    >>> from gradnorm import Balancer
    >>> balancer = Balancer(2, GradNormMethod(alpha=0))
    >>> shared = torch.nn.Parameter(torch.ones(1))
    >>> balance = balancer.backward([(2 * shared).sum(), (6 * shared).sum()], shared=shared)
    >>> balancer.weights  # proportional to 1/2 and 1/6
    tensor([1.5000, 0.5000])
    """

    name: ClassVar[str] = "gradnorm"
    title: ClassVar[str] = "GradNorm"
    summary: ClassVar[str] = "Adapts the weights so that all tasks train at similar rates."
    citation: ClassVar[str] = (
        "@inproceedings{chen2018gradnorm, title={GradNorm: Gradient Normalization for Adaptive Loss "
        "Balancing in Deep Multitask Networks}, author={Chen, Zhao and Badrinarayanan, Vijay and Lee, "
        "Chen-Yu and Rabinovich, Andrew}, booktitle={ICML}, year={2018}}"
    )
    needs: ClassVar[Needs] = Needs.NORMS
    sets_targets: ClassVar[bool] = True
    sums_to_tasks: ClassVar[bool] = True
    ahead: ClassVar[bool] = True

    former: ClassVar[Mapping[str, Any]] = {
        "heads": "weighted",
        "half_life": 300.0,
        "every": 1,
        "priorities": (),
        "least": 0.0,
        "most": 64.0,
    }

    heads: Heads = heads_field("own")
    alpha: float = Field(
        0.12,
        ge=0,
        le=5,
        title="Asymmetry α",
        description="How strongly a task that trains slowly is pulled up. 0 makes all gradient norms equal.",
        json_schema_extra={"live": True, "slider": [0, 3, 0.01]},
    )
    update: Update = Field(
        "closed",
        title="Weight update",
        description="closed: the weights that meet the targets, smoothed. log: multiply by exp(∓learning rate). "
        "adam: as in the paper. sgd: plain gradient descent.",
    )
    weight_learning_rate: float = step_size(
        0.01,
        "Step size of the weights; not of closed. The paper: 0.025 with adam.",
        **{"with": {"update": ["log", "adam", "sgd"]}},
    )

    half_life: float = Field(
        default=300.0,
        gt=0,
        le=1e6,
        title="Half-life",
        description="Of closed: the steps after which what was measured counts half.",
        json_schema_extra={"live": True, "with": {"update": ["closed"]}},
    )
    every: int = Field(
        default=1,
        ge=1,
        le=10_000,
        title="Measure every",
        description="Steps from one measurement of the norms to the next; between them weights stay.",
    )
    priorities: tuple[float, ...] = Field(
        default=(),
        title="Priorities",
        description="What each task's gradient norm is to be relative to the others', as in 1,3. Left out: all equal.",
        json_schema_extra={"live": True},
    )
    least: float = Field(
        default=0.0,
        ge=0,
        le=1,
        title="Least weight",
        description="No weight falls below it.",
        json_schema_extra={"live": True},
    )
    most: float = Field(
        default=64.0,
        ge=1,
        le=64,
        title="Most weight",
        description="No weight rises above it. The weights sum to T, so that T or more is no bound.",
        json_schema_extra={"live": True},
    )
    hold: tuple[int, ...] = Field(
        default=(),
        title="Held tasks",
        description="Numbers of tasks whose weight stays as it is, as in 1,3. For tasks that cannot improve.",
        json_schema_extra={"live": True},
    )

    @field_validator("hold", mode="before")
    @classmethod
    def _parse_hold(cls, value: Any) -> Any:
        return numbers(value, "hold")

    @field_validator("priorities", mode="before")
    @classmethod
    def _parse_priorities(cls, value: Any) -> Any:
        return numbers(value, "priorities")

    @field_validator("priorities")
    @classmethod
    def _positive_priorities(cls, priorities: tuple[float, ...]) -> tuple[float, ...]:
        wrong = [p for p in priorities if not 1e-6 <= p <= 1e6]
        if wrong:
            raise ValueError(f"priorities should be in [1e-6, 1e6]. Found {wrong[0]:g}. Give larger or smaller ones")
        return priorities

    def check(self, tasks: int) -> None:
        """Raise ValueError if `hold` has a number outside [1, T], or `priorities` not T of them."""
        wrong = [task for task in self.hold if not 1 <= task <= tasks]
        if wrong:
            raise ValueError(f"hold should have numbers of tasks, in [1, {tasks}]. Found {wrong[0]}. Leave it out")
        if self.priorities and len(self.priorities) != tasks:
            raise ValueError(
                f"priorities should have one value for each of the {tasks} tasks. Found {len(self.priorities)}. "
                "Give as many as tasks, or leave them out"
            )

    def start(self, ones: PerTask, kinds: Sequence[Kind]) -> State:
        """Return w_i(0) = 1; arguments as in `Method.start`."""
        if self.update == "closed":
            return fresh_state(ones, {"log": ones * 0, "total": ones * 0, "squared": (ones * 0).log()})
        return fresh_state(ones, adam_memory(ones) if self.update == "adam" else None)

    def due(self, step: int) -> bool:
        """Whether norms are measured at step t: at the first and at each `every`-th after it."""
        return (step - 1) % self.every == 0

    def decide(self, state: State, signal: Signal, relative_rates: PerTask) -> Decision:
        """Return w(t+1); arguments as in `Method.decide`.

        G_i = w_i·‖∇_W L_i‖ and the target is constant, so ∂L_grad/∂w_i = sign(G_i − target_i)·‖∇_W L_i‖.
        Held tasks are treated as absent: they take no part in the means and keep their weight.
        """
        assert signal.norms is not None, "GradNorm needs gradient norms"
        w, norms = state.weights, signal.norms
        if self.hold:
            held = [task - 1 for task in self.hold if task <= w.shape[-1]]
            norms, losses, relative_rates = (_without(v, held) for v in (norms, signal.losses, relative_rates))
            signal = replace(signal, losses=losses, complete=False)
            relative_rates = relative_rates / signal.mean(relative_rates)
        G = w * norms
        mean, powers = signal.mean(G), relative_rates.pow(self.alpha)
        if self.priorities:
            powers = powers * powers.new_tensor(self.priorities)
        # But for the paper's own updates, the common part of all gaps is taken out: where all have one sign, every
        # weight would get the same factor, which the scaling takes back, and nothing would move.
        targets = powers * (mean if self.update in ("adam", "sgd") else mean / signal.mean(powers))
        gap = G - targets
        # A norm that is not finite says nothing of the other tasks: no weight moves at such a step.
        sound = mean < math.inf
        if self.update == "closed":
            proposed, memory = self._closed_form(state, powers, norms, sound)
        else:
            proposed, memory = self._one_step(state, (gap.sign() * norms).where(sound, 0.0))
        return Decision(
            weights=bounded(renormalize(proposed, w, signal), signal, self.least, self.most),
            memory=memory,
            targets=targets,
            imbalance=gap.abs().sum(-1) if signal.complete else gap.abs().nansum(-1),
        )

    def _closed_form(
        self, state: State, wanted: PerTask, norms: PerTask, sound: Tensor
    ) -> tuple[PerTask, dict[str, PerTask]]:
        """Return the weights that meet the targets, with what was wanted and measured lately smoothed.

        wanted: p_i·r_i^α.  norms: ‖∇_W L_i‖.  sound: whether this step counts.
        """
        log, squared = wanted.log(), norms.log() * 2
        # A task without a gradient asks for no weight that could be named; it keeps what it has.
        counts = ((log + squared).abs() < math.inf) & sound
        keep, log_keep, log_new = _shares(self.every / self.half_life)
        old = state.memory
        memory = {
            # The sum of the factors of the means, so that the first steps count in full (Adam's bias correction).
            "total": old["total"] * keep + (1 - keep),
            "log": old["log"] * keep + log * (1 - keep),
            # The logarithm of the mean of squares: a square itself could leave the range of its type.
            "squared": (old["squared"] + log_keep).logaddexp(squared + log_new),
        }
        memory = {name: value.where(counts, old[name]) for name, value in memory.items()}
        total = memory["total"]
        # NaN for a task that has shown no gradient yet: only ratios count, and it is in the middle of the others.
        smoothed = memory["log"] / total - (memory["squared"] - total.log()) / 2
        return (smoothed - smoothed.nanmean(-1, keepdim=True)).nan_to_num(0.0).exp(), memory

    def _one_step(self, state: State, gradient: PerTask) -> tuple[PerTask, dict[str, PerTask]]:
        rate, w = self.weight_learning_rate, state.weights
        if self.update == "log":
            return w * (-rate * gradient.sign()).exp(), {}
        if self.update == "sgd":
            return w - rate * gradient, {}
        step, memory = adam_step(state.memory, gradient, rate)
        return w + step, memory


def _shares(halvings: Any) -> tuple[Any, Any, Any]:
    """Return the share of a mean that is left of it, and the logarithms of that and of the rest.

    halvings: by how many half-lives the mean ages, > 0; a number, or a tensor of shape [n, 1].
    """
    keep, log_keep = 0.5**halvings, -halvings * math.log(2)
    new = 1 - keep
    return keep, log_keep, math.log(new) if isinstance(new, float) else new.log()


def _without(values: PerTask, tasks: Sequence[int]) -> PerTask:
    """Return a copy with NaN for the given tasks (indices from 0), so that they count as absent."""
    values = values.clone()
    values[..., list(tasks)] = float("nan")
    return values
