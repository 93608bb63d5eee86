"""ReLoBRaLo, relative loss balancing with random lookback (Bischof and Kraus 2021, arXiv:2110.09813)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from gradnorm.common.randomness import stream
from gradnorm.common.shapes import Mean, PerTask
from gradnorm.methods.base import Decision, Kind, Method, Needs, Signal, State, fresh_state, renormalize
from gradnorm.methods.moving_mean import smoothing

# The smallest normal number in single precision, and a ratio whose softmax is already that of one task alone.
_TINY, _HIGHEST = 1.1754944e-38, 1e6


class RelativeLosses(Method):
    """Weigh a task by how little its loss fell, since the step before and, now and then, since the first.

    With b(t, t') = T·softmax_i(L_i(t)/(τ·L_i(t'))) the weights of step t are
    w(t) = α·(ρ·w(t−1) + (1 − ρ)·b(t, 0)) + (1 − α)·b(t, t−1), where ρ is 1 with the probability `lookback`, else 0:
    the random lookback to the first loss. ρ is drawn from the run's seed. The weights of the first step are 1, and
    those of the second b(2, 1).

    temperature: τ in (0, 100]. The higher it is, the more equal the weights.
    smoothing: α in [0, 0.9999], the share of the past.
    lookback: E[ρ] in [0, 1]. 1 never looks back to the first loss.

    Paper: Bischof, Kraus, "Multi-Objective Loss Balancing for Physics-Informed Deep Learning", 2021
    (arXiv:2110.09813), which tunes α, τ and E[ρ] for each problem: α = 0.999, τ = 0.1, E[ρ] near 1.

    >>> import torch
    >>> from gradnorm import Balancer
    >>> balancer = Balancer(2, RelativeLosses(temperature=1))
    >>> shared = torch.nn.Parameter(torch.ones(1))
    >>> for factors in [(4, 4), (2, 4)]:  # the first loss halves, the second stays: ratios (½, 1)
    ...     balance = balancer.backward([(f * shared).sum() for f in factors], shared=shared)
    >>> balance.weights
    tensor([0.7551, 1.2449])
    """

    name: ClassVar[str] = "relobralo"
    title: ClassVar[str] = "ReLoBRaLo"
    summary: ClassVar[str] = "Raises the weight of tasks whose loss fell least, with random looks back to the start."
    citation: ClassVar[str] = (
        "@article{bischof2021multi, title={Multi-Objective Loss Balancing for Physics-Informed Deep Learning}, "
        "author={Bischof, Rafael and Kraus, Michael}, journal={arXiv:2110.09813}, year={2021}}"
    )
    needs: ClassVar[Needs] = Needs.LOSSES
    sums_to_tasks: ClassVar[bool] = True

    temperature: float = Field(
        0.1, gt=0, le=100, title="Temperature", description="The higher it is, the more equal the weights."
    )
    smoothing: float = smoothing(0.999, "The share that the earlier weights keep at each step. The paper uses 0.999.")
    lookback: float = Field(
        0.99,
        ge=0,
        le=1,
        title="Lookback E[ρ]",
        description="How likely a step keeps the earlier weights, rather than those by the first losses.",
        json_schema_extra={"live": True},
    )

    def start(self, ones: PerTask, kinds: Sequence[Kind]) -> State:
        """Return w_i = 1; arguments as in `Method.start`."""
        return fresh_state(ones, {"before": ones * float("nan")})

    def decide(self, state: State, signal: Signal, relative_rates: PerTask) -> Decision:
        """Return w(t) as the weights used; arguments as in `Method.decide`."""
        before = state.memory["before"]
        kept = signal.losses.where(~signal.losses.isnan(), before)
        used = self._balanced(before, state, signal)
        if signal.step > 2:
            keeps = _draw(signal, state.weights) < self.lookback
            past = state.weights.where(keeps, self._balanced(state.initial_losses, state, signal))
            used = renormalize(self.smoothing * past + (1 - self.smoothing) * used, state.weights, signal)
        return Decision(used, {"before": kept}, used=used)

    def _balanced(self, earlier: PerTask, state: State, signal: Signal) -> PerTask:
        """Return b(t, t'); a task without an earlier loss has the ratio 1.

        earlier: L_i(t'), shape [T], NaN where there is none.
        """
        ratio = ((signal.losses + _TINY) / (earlier + _TINY)).clamp(max=_HIGHEST).where(~earlier.isnan(), 1.0)
        logits = (ratio / self.temperature).masked_fill(signal.losses.isnan(), -float("inf"))
        return renormalize(logits.softmax(-1), state.weights, signal)


def _draw(signal: Signal, like: PerTask) -> Mean:
    """Return a number in [0, 1) for each run, a function of its seed and the step alone, shape [1]."""
    seeds = [signal.seed] if isinstance(signal.seed, int) else signal.seed
    drawn = [[stream(seed, "random lookback", signal.step).random()] for seed in seeds]
    return like.new_tensor(drawn[0] if isinstance(signal.seed, int) else drawn).expand(*like.shape[:-1], 1)
