"""Learning-rate annealing (Wang, Teng, Perdikaris: SIAM Journal on Scientific Computing 2021, arXiv:2001.04536)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from gradnorm.common.shapes import PerTask
from gradnorm.methods.base import Decision, Kind, Method, Needs, Signal, State, fresh_state, keep_absent
from gradnorm.methods.moving_mean import smoothing

# Added to each norm in units of the mean norm: no weight is drawn above 10⁸.
_SHARE = 1e-8


class LearningRateAnnealing(Method):
    """Draw each weight towards the mean gradient norm over the task's own, so that all weighted norms become equal.

    w_i(t+1) = s·w_i(t) + (1 − s)·mean_j ‖g_j‖/‖g_i‖, where g_i = ∇_W L_i(t) and s is the smoothing. A step at which
    a norm is not finite moves no weight. The weights do not sum to T.

    smoothing: s in [0, 0.9999].

    Paper: Wang, Teng, Perdikaris, "Understanding and Mitigating Gradient Flow Pathologies in Physics-Informed Neural
    Networks", SIAM Journal on Scientific Computing 43(5), 2021 (arXiv:2001.04536), with s = 0.9.
    Differs from the paper: its weight of a boundary loss is drawn to max|∇L_r|/mean|∇L_i|, L_r being the residual,
    whose weight is 1. The form with norms, which needs no residual, is the one in use today (Wang, Sankaran, Wang,
    Perdikaris 2023, arXiv:2308.08468). Norms are taken at W, and at each step.

    >>> import torch
    >>> from gradnorm import Balancer
    >>> balancer = Balancer(2, LearningRateAnnealing(smoothing=0.5))
    >>> shared = torch.nn.Parameter(torch.ones(1))
    >>> balance = balancer.backward([(2 * shared).sum(), (6 * shared).sum()], shared=shared)
    >>> balancer.weights  # mean norm 4: ½ + ½·4/2 and ½ + ½·4/6
    tensor([1.5000, 0.8333])
    """

    name: ClassVar[str] = "lr-annealing"
    title: ClassVar[str] = "Learning-rate annealing"
    summary: ClassVar[str] = "Draws each weight towards the mean gradient norm over the task's own norm."
    citation: ClassVar[str] = (
        "@article{wang2021understanding, title={Understanding and Mitigating Gradient Flow Pathologies in "
        "Physics-Informed Neural Networks}, author={Wang, Sifan and Teng, Yujun and Perdikaris, Paris}, "
        "journal={SIAM Journal on Scientific Computing}, volume={43}, number={5}, year={2021}}"
    )
    needs: ClassVar[Needs] = Needs.NORMS
    ahead: ClassVar[bool] = True

    smoothing: float = smoothing(0.9, "The share that a weight keeps at each step. The paper uses 0.9.")

    def start(self, ones: PerTask, kinds: Sequence[Kind]) -> State:
        """Return w_i = 1; arguments as in `Method.start`."""
        return fresh_state(ones)

    def decide(self, state: State, signal: Signal, relative_rates: PerTask) -> Decision:
        """Return w(t+1), drawn towards the ratios of norms; arguments as in `Method.decide`."""
        assert signal.norms is not None, "Learning-rate annealing needs gradient norms"
        mean = signal.mean(signal.norms)
        drawn = self.smoothing * state.weights + (1 - self.smoothing) * mean / (signal.norms + _SHARE * mean)
        sound = (signal.norms.isfinite() | signal.losses.isnan()).all(-1, keepdim=True) & (mean > 0)
        return Decision(keep_absent(drawn, state.weights, signal.losses).where(sound, state.weights), {})
