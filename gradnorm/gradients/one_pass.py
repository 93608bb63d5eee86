"""The norms and gradients of one step, going through the heads once and through the trunk once."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from gradnorm.common.shapes import Gramian, PerTask
from gradnorm.gradients.autograd_graph import Cut, Head, Node
from gradnorm.gradients.general import total_norm
from gradnorm.gradients.layer_rules import Layer

Pairs = list[tuple[Any, Tensor]]


class OnePass:
    """What `gradients.SeparatePasses` measures and does, for a network whose heads meet in one tensor.

    One backward pass through all heads gives g_i = ∂L_i/∂C, C being the tensor in which they meet: what the
    heads send into C is caught before it is summed. From there one product gives every ∇_W L_i, and of
    Σ_i w_i ∇_W L_i the gradient of W is made; Σ_i w_i g_i goes down the trunk, past W. Where W is not one linear
    or convolutional layer, it is gone through once a task for the norms, and once more for the sum.
    Build it by `plan`.
    """

    gramian: Gramian | None = None

    def __init__(
        self,
        losses: Sequence[Tensor | None],
        cut: Cut,
        shared: Sequence[Tensor],
        names: Sequence[str],
        scale: Tensor | None = None,
    ) -> None:
        self._cut = GradientEdge(*cut.end)
        self._layer = Layer.find(cut, shared)
        # The layer's own parameters have their gradients already: the way down leaves them out.
        known = set() if self._layer is None else {id(p) for p in self._layer.parameters.values()}
        self._below = [
            node.variable for node in cut.users if hasattr(node, "variable") and id(node.variable) not in known
        ]
        self._present = [i for i, loss in enumerate(losses) if loss is not None]
        self._leaves: list[tuple[int, Tensor, Tensor]] = []
        each = self._through_heads([loss for loss in losses if loss is not None], cut, names, scale)
        self._at_shared: list[tuple[Tensor, Tensor]] = []
        if self._layer is None:
            parts = [total_norm(self._at(shared, g), names[i]) for i, g in zip(self._present, each, strict=True)]
            norms = torch.stack(parts)
            self._end, self._at_end = GradientEdge(*cut.end), torch.stack(each)
        else:
            self._end, self._at_end = GradientEdge(self._layer.node, 0), self._layer.at_output(each)
            self._at_shared = self._layer.gradients(self._at_end)
            parts = [torch.linalg.vector_norm(_wide(g).flatten(1), dim=1) for _, g in self._at_shared]
            norms = parts[0] if len(parts) == 1 else torch.linalg.vector_norm(torch.stack(parts), dim=0)
        self.norms = self._spread(norms if scale is None else norms / scale.to(norms.device), len(losses))

    @staticmethod
    def plan(losses: Sequence[Tensor | None], features: Tensor, shared: Sequence[Tensor]) -> Cut | None:
        """Return where the heads meet, or None where they do not meet above W, or lead to it by another way.

        features: input or output of the shared layer, or any tensor between it and the heads.
        """
        cut = None if _hooked(features) else Cut.find(losses, features)
        if cut is None:
            return None
        wanted = {id(parameter) for parameter in shared}
        own = [leaf for head in cut.heads if head is not None for leaf in head.leaves]
        reached = any(id(getattr(node, "variable", None)) in wanted for node in cut.users)
        # A hook is to see the weighted gradient, once, which is not known yet when the heads are gone through.
        if not reached or any(id(leaf) in wanted or _hooked(leaf) for leaf in own) or any(map(_hooked, shared)):
            return None
        return cut

    def backward(self, weights: PerTask) -> None:
        """Add the gradient of Σ_i w_i L_i to `.grad` of every parameter, and free the graph.

        weights: w, shape [T], detached. Goes through the leaves' own hooks, as any backward pass does.
        """
        each = weights.unbind()
        used = weights if len(self._present) == len(each) else torch.stack([each[i] for i in self._present])
        down = _weighted_sum(used, self._at_end)
        ends: Pairs = [(leaf, grad * each[i].to(grad.device)) for i, leaf, grad in self._leaves]
        ends += [(parameter, _weighted_sum(used, grads)) for parameter, grads in self._at_shared]
        if self._layer is None:
            ends.append((self._end, down))
        torch.autograd.backward([end for end, _ in ends], [grad for _, grad in ends])
        if self._layer is not None and self._below:
            torch.autograd.backward([self._end], [down], inputs=self._below)

    def _through_heads(
        self, losses: Sequence[Tensor], cut: Cut, names: Sequence[str], scale: Tensor | None
    ) -> list[Tensor]:
        """Return ∂L_i/∂C for each present task, and keep the gradients of the heads' own leaves."""
        heads = [head for head in cut.heads if head is not None]
        own = [(i, leaf) for i, head in zip(self._present, heads, strict=True) for leaf in head.leaves]
        with _caught(heads) as caught:
            inputs: list[Any] = [self._cut, *(leaf for _, leaf in own)]
            scales = None if scale is None else [scale.to(loss) for loss in losses]
            # Pyright's stub promises a gradient for every input.
            grads = cast(
                Sequence[Tensor | None], torch.autograd.grad(losses, inputs, grad_outputs=scales, allow_unused=True)
            )
        self._leaves = [(i, leaf, g) for (i, leaf), g in zip(own, grads[1:], strict=True) if g is not None]
        total = grads[0]
        found: list[Tensor] = []
        for i, parts in zip(self._present, caught, strict=True):
            if not parts or total is None:
                total_norm([None], names[i])  # raises
                raise AssertionError
            # The engine fits each part to its tensor only when it has left the hooks behind.
            fitted = [g.sum_to_size(total.shape).to(total) for g in parts]
            found.append(fitted[0] if len(fitted) == 1 else torch.stack(fitted).sum(0))
        return found

    def _at(self, shared: Sequence[Tensor], grad: Tensor) -> Sequence[Tensor | None]:
        """Return one task's gradients of the shared parameters."""
        return torch.autograd.grad([self._cut], shared, [grad], retain_graph=True, allow_unused=True)

    def _spread(self, values: Tensor, tasks: int) -> Tensor:
        """Return a vector over all tasks, NaN for those that are absent."""
        if len(self._present) == tasks:
            return values
        each = iter(values.unbind())
        nan = values.new_full((), float("nan"))
        return torch.stack([next(each) if i in self._present else nan for i in range(tasks)])


@contextmanager
def _caught(heads: Sequence[Head]) -> Generator[list[list[Tensor]]]:
    """Give a list a head that fills, while the graph is gone through, with what the head sends into the cut."""
    caught: list[list[Tensor]] = [[] for _ in heads]
    handles = [
        node.register_hook(_catch(into, positions))
        for head, into in zip(heads, caught, strict=True)
        for node, positions in head.exits.items()
    ]
    try:
        yield caught
    finally:
        for handle in handles:
            handle.remove()


def _catch(into: list[Tensor], positions: Sequence[int]) -> Any:
    def hook(grad_inputs: Sequence[Tensor | None], _: Node) -> None:
        into.extend(g for k in positions if (g := grad_inputs[k]) is not None)

    return hook


def _hooked(tensor: Tensor) -> bool:
    return tensor.retains_grad or bool(getattr(tensor, "_backward_hooks", None))


def _wide(grads: Tensor) -> Tensor:
    """Return gradients in a precision whose squares do not overflow."""
    return grads.float() if grads.dtype in (torch.float16, torch.bfloat16) else grads


def _weighted_sum(weights: Tensor, grads: Tensor) -> Tensor:
    """Return Σ_i w_i G_i: [T], [T, …] → […]."""
    G = _wide(grads)
    w = weights.to(G)
    if G.is_contiguous() or G.dim() < 3:
        return (w @ G.flatten(1)).view(G.shape[1:]).to(grads)
    # The tasks lie within the batch.
    beside = G.transpose(0, 1)
    return torch.matmul(w, beside.flatten(2)).view(G.shape[1:]).to(grads)
