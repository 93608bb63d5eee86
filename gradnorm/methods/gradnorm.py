"""GradNorm (Chen, Badrinarayanan, Lee, Rabinovich: ICML 2018, arXiv:1711.02257), Algorithm 1.

Symbols, as in the paper: w loss weights; G norms of the weighted gradients at the last shared layer W; Ḡ their
mean; r relative inverse training rates; α the asymmetry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from gradnorm.common.declarations import numbers
from gradnorm.common.shapes import PerTask
from gradnorm.methods.adam import adam_memory, adam_step
from gradnorm.methods.base import (
    Decision,
    Kind,
    Method,
    Needs,
    Signal,
    State,
    fresh_state,
    renormalize,
    step_size,
)

Update = Literal["log", "adam", "sgd"]


class GradNormMethod(Method):
    """Pull every task's gradient norm towards the mean norm times its relative inverse training rate to the α.

    One step on w lowers L_grad = Σ_i |G_i − Ḡ·r_i^α| (Eq. 2 of the paper) with the target Ḡ·r_i^α held constant.
    The weights are then scaled to sum to T. A step at which a norm is not finite moves no weight.

    alpha: the asymmetry α, in [0, 5].
    update: "log" multiplies w_i by exp(∓weight_learning_rate); "adam" runs Adam on w; "sgd" gradient descent.
    weight_learning_rate: in (0, 1]; the paper uses 0.025 with Adam.
    hold: numbers of tasks, from 1, whose weight stays as it is.

    Paper: Chen, Badrinarayanan, Lee, Rabinovich, "GradNorm", ICML 2018 (arXiv:1711.02257), Algorithm 1.
    Differs from the paper: update="log" is the default, because Adam's steps of 0.025 are too coarse for a task
    whose weight has to be small (0.01, say). Its targets are divided by the mean of r_j^α, which is 1 for α = 0 and 1:
    otherwise all norms can lie on one side of their targets, and no weight moves. Held tasks are an addition.

    >>> import torch
    >>> from gradnorm import Balancer
    >>> balancer = Balancer(2, GradNormMethod(alpha=0, weight_learning_rate=0.1))
    >>> shared = torch.nn.Parameter(torch.ones(1))
    >>> balance = balancer.backward([(2 * shared).sum(), (6 * shared).sum()], shared=shared)
    >>> balancer.weights  # proportional to exp(0.1) and exp(−0.1)
    tensor([1.0997, 0.9003])
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

    alpha: float = Field(
        1.5,
        ge=0,
        le=5,
        title="Asymmetry α",
        description="How strongly a task that trains slowly is pulled up. 0 makes all gradient norms equal.",
        json_schema_extra={"live": True, "slider": [0, 3, 0.01]},
    )
    update: Update = Field(
        "log",
        title="Weight update",
        description="log: multiply by exp(∓learning rate). adam: as in the paper. sgd: plain gradient descent.",
    )
    weight_learning_rate: float = step_size(0.01, "Step size of the loss weights. The paper uses 0.025 with adam.")

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

    def check(self, tasks: int) -> None:
        """Raise ValueError if `hold` has a number outside [1, T]."""
        wrong = [task for task in self.hold if not 1 <= task <= tasks]
        if wrong:
            raise ValueError(f"hold should have numbers of tasks, in [1, {tasks}]. Found {wrong[0]}. Leave it out")

    def start(self, ones: PerTask, kinds: Sequence[Kind]) -> State:
        """Return w_i(0) = 1; arguments as in `Method.start`."""
        return fresh_state(ones, adam_memory(ones) if self.update == "adam" else None)

    def decide(self, state: State, signal: Signal, relative_rates: PerTask) -> Decision:
        """Return w(t+1) after one step along ∂L_grad/∂w; arguments as in `Method.decide`.

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
        mean, powers = signal.mean(G), relative_rates**self.alpha
        # For "log", the common part of all gaps is taken out: where all have one sign, every weight would get the same
        # factor, which the scaling takes back, and nothing would move.
        targets = powers * (mean / signal.mean(powers) if self.update == "log" else mean)
        gap = G - targets
        # A norm that is not finite says nothing of the other tasks: no weight moves at such a step.
        gradient = (gap.sign() * norms).where(mean.isfinite(), 0.0)
        proposed, memory = self._proposed_weights(state, gradient)
        return Decision(
            weights=renormalize(proposed, w, signal),
            memory=memory,
            targets=targets,
            imbalance=gap.abs().sum(-1) if signal.complete else gap.abs().nansum(-1),
        )

    def _proposed_weights(self, state: State, gradient: PerTask) -> tuple[PerTask, dict[str, PerTask]]:
        rate, w = self.weight_learning_rate, state.weights
        if self.update == "log":
            return w * (-rate * gradient.sign()).exp(), {}
        if self.update == "sgd":
            return w - rate * gradient, {}
        step, memory = adam_step(state.memory, gradient, rate)
        return w + step, memory


def _without(values: PerTask, tasks: Sequence[int]) -> PerTask:
    """Return a copy with NaN for the given tasks (indices from 0), so that they count as absent."""
    values = values.clone()
    values[..., list(tasks)] = float("nan")
    return values
