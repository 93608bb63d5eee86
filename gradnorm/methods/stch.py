"""STCH, smooth Tchebycheff scalarization (Lin, Zhang, Yang, Liu, Wang, Zhang: ICML 2024, arXiv:2402.19078)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from gradnorm.common.shapes import PerTask
from gradnorm.methods.base import Decision, Kind, Method, Needs, Signal, State, fresh_state

# Smaller losses count as this much, since the weight is divided by the loss.
_SMALLEST = 1e-12
# The smallest normal number in single precision, and a ratio beyond which no loss lies of its reference.
_TINY, _HIGHEST = 1.1754944e-38, 1e30
# Of all, a task has this share of the softmax at least, so that its weight stays above 0.
_LEAST = 1e-8
# The reference is the mean over the last fifth of the warm-up: the authors average over the fifth of five epochs.
_MEASURED = 0.2


class SmoothTchebycheff(Method):
    """Minimise a smooth maximum of the log losses relative to a reference, so that the worst task counts most.

    The objective is L = T·μ·log Σ_i exp(log(L_i/z_i)/μ). Its gradient is Σ_i w_i ∇L_i with w_i = T·p_i/L_i and
    p = softmax(log(L_i/z_i)/μ), computed from the losses of this very step. The reference point z, which stands for
    the nadir, is the mean loss at the end of a warm-up. The warm-up minimises Σ_i log L_i: w_i = 1/L_i.

    smoothness: μ in [0.01, 100]. 0 would be the maximum itself; the larger it is, the more equal the p_i.
    warmup: steps of the warm-up, in [1, 1,000,000]. z is the mean over the last fifth of them.

    Paper: Lin, Zhang, Yang, Liu, Wang, Zhang, "Smooth Tchebycheff Scalarization for Multi-Objective Optimization",
    ICML 2024 (arXiv:2402.19078).
    Differs from the paper: the form with logarithms and the measured reference is that of the authors' multi-task
    program; the paper's is μ·log Σ_i exp(λ_i (L_i − z*_i)/μ) with the ideal point z*. The program warms up for five
    epochs and has μ = 1.

    >>> import torch
    >>> from gradnorm import Balancer
    >>> balancer = Balancer(2, SmoothTchebycheff(warmup=1))
    >>> shared = torch.nn.Parameter(torch.tensor([2.0, 8.0]))
    >>> balancer.backward(1 * shared, shared=shared).weights  # the warm-up: 1/L
    tensor([0.5000, 0.1250])
    >>> balancer.backward(shared * torch.tensor([0.5, 1.0]), shared=shared).weights  # p = (⅓, ⅔)
    tensor([0.6667, 0.1667])
    """

    name: ClassVar[str] = "stch"
    title: ClassVar[str] = "Smooth Tchebycheff (STCH)"
    summary: ClassVar[str] = "Minimises a smooth maximum of the log losses, relative to those at the end of a warm-up."
    citation: ClassVar[str] = (
        "@inproceedings{lin2024smooth, title={Smooth Tchebycheff Scalarization for Multi-Objective Optimization}, "
        "author={Lin, Xi and Zhang, Xiaoyuan and Yang, Zhiyuan and Liu, Fei and Wang, Zhenkun and Zhang, Qingfu}, "
        "booktitle={ICML}, year={2024}}"
    )
    needs: ClassVar[Needs] = Needs.LOSSES

    smoothness: float = Field(
        1.0,
        ge=0.01,
        le=100,
        title="Smoothness μ",
        description="The smaller it is, the more the worst task counts. The authors use 1.",
    )
    warmup: int = Field(
        250,
        ge=1,
        le=1_000_000,
        title="Warm-up",
        description="Steps with weights 1/L. The mean losses of the last fifth of them are the reference.",
    )

    def start(self, ones: PerTask, kinds: Sequence[Kind]) -> State:
        """Return w_i = 1, which the first losses replace; arguments as in `Method.start`."""
        # The method counts its own steps: a fork from another method begins with a warm-up, too.
        return fresh_state(ones, {"sum": ones * 0, "seen": ones * 0, "steps": ones * 0})

    def decide(self, state: State, signal: Signal, relative_rates: PerTask) -> Decision:
        """Return w_i(t) as the weights used: 1/L_i, after the warm-up T·p_i/L_i; arguments as in `Method.decide`."""
        losses, memory = signal.losses.clamp(min=_SMALLEST), state.memory
        present, steps = ~losses.isnan(), memory["steps"] + 1
        counts = present & (steps > (1 - _MEASURED) * self.warmup) & (steps <= self.warmup)
        total, seen = memory["sum"] + signal.losses.where(counts, 0.0), memory["seen"] + counts
        # A task that was absent from the measured part is where it was.
        ratio = (losses / (total / seen + _TINY)).clamp(max=_HIGHEST).where(seen > 0, 1.0)
        shares = (ratio.log() / self.smoothness).masked_fill(~present, -float("inf")).softmax(-1)
        factor = (present.sum(-1, keepdim=True) * shares.clamp(min=_LEAST)).where(steps > self.warmup, 1.0)
        used = (factor / losses).where(present, state.weights)
        return Decision(used, {"sum": total, "seen": seen, "steps": steps}, used=used)
