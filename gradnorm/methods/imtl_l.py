"""IMTL-L, the loss balance of impartial multi-task learning (Liu, Li, Kuang, et al.: ICLR 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

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
    keep_absent,
    step_size,
)


class ImpartialLosses(Method):
    """Learn a scale for each task that brings its weighted loss to 1.

    w_i = exp(s_i), where Adam lowers g = exp(s_i)·L_i − s_i (Eq. 7 of the paper): ∂g/∂s_i = w_i·L_i − 1.

    weight_learning_rate: Adam's step size for s, in (0, 1].

    Paper: Liu, Li, Kuang, et al., "Towards Impartial Multi-task Learning", ICLR 2021.

    >>> import torch
    >>> from gradnorm import Balancer
    >>> balancer = Balancer(2, ImpartialLosses(weight_learning_rate=0.1))
    >>> shared = torch.nn.Parameter(torch.tensor([4.0, 0.5]))
    >>> balance = balancer.backward(1 * shared, shared=shared)
    >>> balancer.weights  # exp(∓0.1): the loss above 1 is weighed less
    tensor([0.9048, 1.1052])
    """

    name: ClassVar[str] = "imtl-l"
    title: ClassVar[str] = "Impartial losses (IMTL-L)"
    summary: ClassVar[str] = "Learns a scale per task that brings every weighted loss to 1."
    citation: ClassVar[str] = (
        "@inproceedings{liu2021towards, title={Towards Impartial Multi-task Learning}, author={Liu, Liyang and Li, Yi "
        "and Kuang, Zhanghui and Xue, Jing-Hao and Chen, Yimin and Yang, Wenming and Liao, Qingmin and Zhang, Wayne}, "
        "booktitle={ICLR}, year={2021}}"
    )
    needs: ClassVar[Needs] = Needs.LOSSES

    weight_learning_rate: float = step_size(0.01, "Adam's step size for the log scales s_i.")

    def start(self, ones: PerTask, kinds: Sequence[Kind]) -> State:
        """Return s_i = 0 and w_i = 1; arguments as in `Method.start`."""
        return fresh_state(ones, {"log_scale": ones * 0, **adam_memory(ones)})

    def decide(self, state: State, signal: Signal, relative_rates: PerTask) -> Decision:
        """Return w_i(t+1) = exp(s_i) after one step of Adam on s; arguments as in `Method.decide`."""
        step, memory = adam_step(state.memory, state.weights * signal.losses - 1, self.weight_learning_rate)
        moved = state.memory["log_scale"] + step
        weights = keep_absent(moved.exp(), state.weights, signal.losses)
        return Decision(weights, {**memory, "log_scale": moved})
