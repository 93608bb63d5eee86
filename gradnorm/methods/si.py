"""SI, the scale-invariant sum of log losses (a baseline of Navon, Shamsian, Achituve, et al.: ICML 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from gradnorm.common.shapes import PerTask
from gradnorm.methods.base import Decision, Kind, Method, Needs, Signal, State, fresh_state
from gradnorm.methods.nash_mtl import NashBargaining

# Smaller losses count as this much, since the weight is divided by the loss.
_SMALLEST = 1e-12


class ScaleInvariant(Method):
    """Minimise the sum of the logarithms of the losses: w_i = 1/L_i.

    The objective is L = Σ_i log L_i, whose gradient is Σ_i ∇L_i/L_i, computed from the losses of this very step. A
    factor of a loss changes nothing. It is GLS without the factor of the geometric mean.

    Paper: Navon, Shamsian, Achituve, et al., "Multi-Task Learning as a Bargaining Game", ICML 2022
    (arXiv:2202.01017), where it is the baseline "SI".

    >>> import torch
    >>> from gradnorm import Balancer
    >>> shared = torch.nn.Parameter(torch.tensor([2.0, 8.0]))
    >>> Balancer(2, ScaleInvariant()).backward(1 * shared, shared=shared).weights
    tensor([0.5000, 0.1250])
    """

    name: ClassVar[str] = "si"
    title: ClassVar[str] = "Scale-invariant (SI)"
    summary: ClassVar[str] = "Minimises the sum of the logs of the losses, which does not depend on their scales."
    citation: ClassVar[str] = NashBargaining.citation
    needs: ClassVar[Needs] = Needs.LOSSES

    def start(self, ones: PerTask, kinds: Sequence[Kind]) -> State:
        """Return w_i = 1, which the first losses replace; arguments as in `Method.start`."""
        return fresh_state(ones)

    def decide(self, state: State, signal: Signal, relative_rates: PerTask) -> Decision:
        """Return w_i(t) = 1/L_i as the weights used; arguments as in `Method.decide`."""
        used = (1 / signal.losses.clamp(min=_SMALLEST)).where(~signal.losses.isnan(), state.weights)
        return Decision(used, {}, used=used)
