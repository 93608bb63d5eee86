"""The loss balancer of EnCodec (Défossez, Copet, Synnaeve, Adi 2022, arXiv:2210.13438)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from gradnorm.common.shapes import PerTask
from gradnorm.methods.base import Decision, Kind, Needs, Signal, State, fresh_state, renormalize
from gradnorm.methods.moving_mean import mean_memory, moving_mean, smoothing
from gradnorm.methods.static import StaticWeights

# A norm counts as this share of the mean norm at least.
_SHARE = 1e-8


class CodecBalancer(StaticWeights):
    """Give each task the fraction of the gradient that you choose: w_i ∝ λ_i / ⟨‖g_i‖⟩.

    ⟨‖g_i‖⟩ is the exponential moving mean of the gradient norm of L_i at W. The weights are scaled to sum to T. A
    norm that is not finite does not count in its mean.

    weights: λ, T numbers in [1e-8, 1e8], as a tuple or a text such as "1,3"; left out, all are equal.
    smoothing: what the mean keeps of its past at each step, in [0, 0.9999].

    Paper: Défossez, Copet, Synnaeve, Adi, "High Fidelity Neural Audio Compression", 2022 (arXiv:2210.13438), Eq. 2,
    with a smoothing of 0.999.
    Differs from the paper: it takes the norms at the output of the decoder, w_i = R·λ_i/Σ_j λ_j/⟨‖g_i‖⟩ with the
    total norm R = 1. Weights that sum to T leave the meaning of the learning rate as it is for other methods. The norms
    of step t decide the weights of step t+1.

    >>> import torch
    >>> from gradnorm import Balancer
    >>> balancer = Balancer(2, CodecBalancer())
    >>> shared = torch.nn.Parameter(torch.ones(1))
    >>> balance = balancer.backward([(2 * shared).sum(), (6 * shared).sum()], shared=shared)
    >>> balancer.weights  # proportional to ½ and 1/6
    tensor([1.5000, 0.5000])
    """

    name: ClassVar[str] = "codec"
    title: ClassVar[str] = "Codec balancer (EnCodec)"
    summary: ClassVar[str] = "Gives each task the fraction of the gradient that you choose, by smoothed norms."
    citation: ClassVar[str] = (
        "@article{defossez2022high, title={High Fidelity Neural Audio Compression}, author={D{\\'e}fossez, Alexandre "
        "and Copet, Jade and Synnaeve, Gabriel and Adi, Yossi}, journal={arXiv:2210.13438}, year={2022}}"
    )
    needs: ClassVar[Needs] = Needs.NORMS
    ahead: ClassVar[bool] = True

    weights: tuple[float, ...] = Field(
        (),
        title="Fractions λ",
        description="One positive number for each task, as in 1,3: its share of the gradient. Left out: all equal.",
    )
    smoothing: float = smoothing(0.999, "What the mean norm keeps of its past at each step. The paper uses 0.999.")

    def start(self, ones: PerTask, kinds: Sequence[Kind]) -> State:
        """Return w_i = 1; arguments as in `Method.start`. Raises ValueError for a wrong number of weights."""
        self.check(len(ones))
        return fresh_state(ones, mean_memory("norm", ones * 0))

    def decide(self, state: State, signal: Signal, relative_rates: PerTask) -> Decision:
        """Return w(t+1) ∝ λ_i over the moving mean of the norms; arguments as in `Method.decide`."""
        assert signal.norms is not None, "The codec balancer needs gradient norms"
        means, memory = moving_mean(state.memory, "norm", signal.norms, self.smoothing)
        ratios = means / means.nanmean(-1, keepdim=True)  # NaN where all norms have been 0
        shares = means.new_tensor(self.weights) if self.weights else 1.0
        wanted = (shares / ratios.clamp(min=_SHARE)).where(~ratios.isnan(), state.weights)
        # In units of the largest: below 1e-8 of it a weight is raised to that.
        return Decision(renormalize(wanted / wanted.amax(-1, keepdim=True), state.weights, signal), memory)
