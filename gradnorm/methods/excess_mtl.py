"""ExcessMTL, robust multi-task learning with excess risks (He, Zhou, Zhang, Yun, Xu, et al.: ICML 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from gradnorm.common.shapes import PerTask
from gradnorm.methods.base import Decision, Kind, Method, Needs, Signal, State, fresh_state, renormalize, step_size

# No excess risk counts as more, in units of the first.
_HIGHEST = 1e6


class ExcessRisks(Method):
    """Raise the weight of the tasks that are farthest from what they can reach: those of large excess risk.

    The excess risk is estimated by a second-order expansion with AdaGrad's curvature: E_i(t) = ‖g_i(t)‖²/h_i(t) with
    h_i(t)² = Σ_{k ≤ t} ‖g_i(k)‖² and g_i = ∇_W L_i. Then w_i(t+1) ∝ w_i(t)·exp(η·E_i(t)/E_i(1)), scaled to sum to T.
    A step at which a norm is not finite moves no weight.

    weight_learning_rate: η in (0, 1].

    Paper: He, Zhou, Zhang, et al., "Robust Multi-Task Learning with Excess Risks", ICML 2024 (arXiv:2402.02009); η is
    0.01 in the library that the authors' program extends.
    Differs from the paper: its curvature is diagonal, one sum of squares for each parameter: E_i = g_iᵀ H_i⁻¹ g_i. Here
    it is one number for each task, since only the norms are measured, at W. A factor of E_i cancels.

    >>> import torch
    >>> from gradnorm import Balancer
    >>> balancer = Balancer(2, ExcessRisks(weight_learning_rate=1))
    >>> shared = torch.nn.Parameter(torch.ones(1))
    >>> for factors in [(4, 4), (3, 4)]:  # E(2)/E(1) = (9/5/4, 16/√32/4)
    ...     balance = balancer.backward([(f * shared).sum() for f in factors], shared=shared)
    >>> balancer.weights
    tensor([0.8722, 1.1278])
    """

    name: ClassVar[str] = "excess-mtl"
    title: ClassVar[str] = "Excess risks (ExcessMTL)"
    summary: ClassVar[str] = "Raises the weight of tasks whose gradients say that they have much left to gain."
    citation: ClassVar[str] = (
        "@inproceedings{he2024robust, title={Robust Multi-Task Learning with Excess Risks}, author={He, Yifei and "
        "Zhou, Shiji and Zhang, Guojun and Yun, Hyokun and Xu, Yi and Zeng, Belinda and Chilimbi, Trishul and Zhao, "
        "Han}, booktitle={ICML}, year={2024}}"
    )
    needs: ClassVar[Needs] = Needs.NORMS
    ahead: ClassVar[bool] = True
    sums_to_tasks: ClassVar[bool] = True

    weight_learning_rate: float = step_size(0.01, "η: how strongly a step's excess risks move the weights.")

    def start(self, ones: PerTask, kinds: Sequence[Kind]) -> State:
        """Return w_i = 1; arguments as in `Method.start`."""
        return fresh_state(ones, {"curvature": ones * 0, "first": ones * 0})

    def decide(self, state: State, signal: Signal, relative_rates: PerTask) -> Decision:
        """Return w(t+1) after one exponentiated step along the excess risks; arguments as in `Method.decide`."""
        assert signal.norms is not None, "ExcessMTL needs gradient norms"
        present = ~signal.losses.isnan()
        sound = (signal.norms.isfinite() | ~present).all(-1, keepdim=True)
        norms = signal.norms.nan_to_num(0, 0)
        # Not by squares, which neither small nor large norms have in single precision.
        curvature = norms.hypot(state.memory["curvature"])
        excess = norms * (norms / curvature).nan_to_num()
        # A task that had no gradient until now has its first excess risk now.
        first = state.memory["first"].where(state.memory["first"] > 0, excess)
        risks = (excess / first).nan_to_num().clamp(max=_HIGHEST)
        logits = state.weights.log() + self.weight_learning_rate * risks
        moved = renormalize(logits.masked_fill(~present, -float("inf")).softmax(-1), state.weights, signal)
        memory = {"curvature": curvature, "first": first}
        kept = {name: value.where(sound, state.memory[name]) for name, value in memory.items()}
        return Decision(moved.where(sound, state.weights), kept)
