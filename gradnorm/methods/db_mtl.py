"""DB-MTL, dual-balancing multi-task learning (Lin, Jiang, Ye, et al. 2023, arXiv:2308.12029)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from gradnorm.common.shapes import PerTask
from gradnorm.methods.base import Decision, Kind, Method, Needs, Signal, State, fresh_state, keep_absent
from gradnorm.methods.moving_mean import mean_memory, moving_mean, smoothing

# Smaller losses count as this much, since their logarithm is taken.
_SMALLEST = 1e-12
# A norm counts as this share of the largest at least.
_SHARE = 1e-8


class DualBalancing(Method):
    """Take the logarithm of each loss, then bring its gradient to the largest norm among the tasks.

    w_i(t+1) = max_j n_j/n_i · 1/L_i, where n_i is the exponential moving mean of ‖∇_W log L_i‖ = ‖∇_W L_i‖/L_i. A norm
    that is not finite does not count in its mean. The weights do not sum to T.

    smoothing: β in [0, 0.9999], what the mean keeps of its past at each step.

    Paper: Lin, Jiang, Ye, Zhang, Chen, Chen, Liu, Tsang, Kwok, "Dual-Balancing for Multi-Task Learning", 2023
    (arXiv:2308.12029), with a β that is tuned; 0.9 in the authors' library.
    Differs from the paper: the mean is that of the norms, at W; the paper has the norms of the mean gradients of all
    shared parameters, and steps along these. Here the optimizer's momentum takes that part. L_i and n_i of step t
    decide the weights of step t+1, so that a step takes one backward pass. They apply to the heads, too.

    >>> import torch
    >>> from gradnorm import Balancer
    >>> balancer = Balancer(2, DualBalancing())
    >>> shared = torch.nn.Parameter(torch.tensor([2.0, 2.0]))
    >>> losses = [shared[0], (shared * torch.tensor([3.0, 4.0])).sum()]  # norms 1 and 5, losses 2 and 14
    >>> balance = balancer.backward(losses, shared=shared)
    >>> balancer.weights  # n = (1/2, 5/14), so that both weighted norms are max n = ½
    tensor([0.5000, 0.1000])
    """

    name: ClassVar[str] = "db-mtl"
    title: ClassVar[str] = "Dual balancing (DB-MTL)"
    summary: ClassVar[str] = "Takes the logs of the losses, and brings their gradients to the largest norm."
    citation: ClassVar[str] = (
        "@article{lin2023dual, title={Dual-Balancing for Multi-Task Learning}, author={Lin, Baijiong and Jiang, Weisen "
        "and Ye, Feiyang and Zhang, Yu and Chen, Pengguang and Chen, Ying-Cong and Liu, Shu and Tsang, Ivor W. and "
        "Kwok, James T.}, journal={arXiv:2308.12029}, year={2023}}"
    )
    needs: ClassVar[Needs] = Needs.NORMS
    ahead: ClassVar[bool] = True

    smoothing: float = smoothing(0.9, "β: what the mean norm keeps of its past at each step.")

    def start(self, ones: PerTask, kinds: Sequence[Kind]) -> State:
        """Return w_i = 1; arguments as in `Method.start`."""
        return fresh_state(ones, mean_memory("log_norm", ones * 0))

    def decide(self, state: State, signal: Signal, relative_rates: PerTask) -> Decision:
        """Return w(t+1), by which all gradients have the largest norm; arguments as in `Method.decide`."""
        assert signal.norms is not None, "DB-MTL needs gradient norms"
        losses = signal.losses.clamp(min=_SMALLEST)
        means, memory = moving_mean(state.memory, "log_norm", signal.norms / losses, self.smoothing)
        shares = means / means.nan_to_num().amax(-1, keepdim=True)  # NaN where all norms have been 0
        weights = 1 / shares.clamp(min=_SHARE) / losses
        weights = weights.where(~shares.isnan(), state.weights)
        return Decision(keep_absent(weights, state.weights, signal.losses), memory)
