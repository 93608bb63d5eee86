"""The weighted backward pass of a step: Σ_i w_i L_i, run by autograd or by what a training framework has for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from gradnorm.common.shapes import PerTask, Scalar
from gradnorm.gradients.autograd_graph import Head

# Called with the loss to back-propagate, and with retain_graph=True where the graph is needed afterwards.
Via = Callable[..., object]


def joined(losses: Sequence[Tensor]) -> Tensor:
    """Return losses as one vector, shape [n], with the precision and on the device of the first.

    losses: n ≥ 1 scalars that require a gradient.
    """
    # A caller may have switched recording off.
    with torch.enable_grad():
        return torch.stack([loss.to(losses[0]) for loss in losses])


def backward(
    losses: Sequence[Tensor | None] | Tensor,
    weights: PerTask,
    scale: Scalar | None = None,
    *,
    via: Via | None = None,
    keep_graph: bool = False,
) -> Scalar | None:
    """Add the gradient of Σ_i w_i L_i to `.grad` of every parameter, and free the graph.

    losses: T scalars that require a gradient, None for an absent task; or one vector, shape [T].
    weights: w, shape [T], detached.
    scale: a loss scale > 0 that the gradients are multiplied by.
    via: what runs the pass in place of autograd, given Σ_i w_i L_i. It multiplies by the loss scale itself.
    keep_graph: whether to leave the graph for further passes.
    Returns what the gradients have been multiplied by; None means 1.
    Raises ValueError if `via` has run no backward pass.
    """
    factors = weights if scale is None or via is not None else weights * scale
    if isinstance(losses, Tensor):
        vector = losses
    else:
        present = [i for i, loss in enumerate(losses) if loss is not None]
        factors = factors if len(present) == len(losses) else factors[present]
        vector = joined([loss for loss in losses if loss is not None])
    if via is None:
        # One root rather than T, since autograd looks at each.
        torch.autograd.backward(vector, factors.to(vector), keep_graph)
        return scale
    with torch.enable_grad():
        total = (vector * factors.to(vector)).sum()
    # A framework may scale the loss, or divide it by a number of micro-batches: what arrives here says by how much.
    arrived: list[Tensor] = []
    total.register_hook(arrived.append)
    via(total, **({"retain_graph": True} if keep_graph else {}))
    if not arrived:
        raise ValueError(
            "via should run a backward pass of the loss that it is given. Found that it ran none. "
            "Pass a function such as accelerator.backward, without calling it."
        )
    return arrived[0].to(weights)


def at_exits(head: Head, factor: Tensor | None, into: Callable[[Tensor], None] | None = None) -> list[Any]:
    """Hook the nodes by which a head is connected to what is shared, and return the handles of the hooks.

    factor: what the gradients that leave the head there are multiplied by; None leaves them as they are.
    into: called with each of these gradients.
    """

    def hooked(positions: Sequence[int]) -> Any:
        def hook(grad_inputs: Sequence[Tensor | None], _: Any) -> Sequence[Tensor | None] | None:
            out = list(grad_inputs)
            for k in positions:
                grad = out[k]
                if grad is not None:
                    out[k] = grad = grad if factor is None else grad * factor.to(grad)
                    if into is not None:
                        into(grad)
            return None if factor is None else tuple(out)

        return hook

    return [node.register_hook(hooked(positions)) for node, positions in head.exits.items()]


def backward_with_own_heads(
    losses: Sequence[Tensor | None],
    heads: Sequence[Head | None],
    weights: PerTask,
    scale: Scalar | None = None,
    *,
    via: Via | None = None,
    keep_graph: bool = False,
) -> None:
    """Add the gradient of Σ_i w_i L_i to `.grad` of what tasks share, and that of its own loss to each head's.

    heads: each task's own part of the graph.  losses, weights, scale, via, keep_graph: as in `backward`.
    """
    handles = [
        handle
        for head, factor in zip(heads, weights, strict=True)
        if head is not None
        for handle in at_exits(head, factor)
    ]
    try:
        backward(losses, torch.ones_like(weights), scale, via=via, keep_graph=keep_graph)
    finally:
        for handle in handles:
            handle.remove()
