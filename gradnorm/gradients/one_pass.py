"""Norms and gradients of one step by one backward pass through the heads and one through the trunk."""

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
    """Measure norms and back-propagate the weighted sum, for a network whose heads meet in one tensor C.

    One backward pass through all heads gives g_i = ∂L_i/∂C for every task: hooks record what each head passes to C
    before autograd sums it. From the g_i one product gives every ∇_W L_i. Then Σ_i w_i ∇_W L_i is the gradient of
    W, and Σ_i w_i g_i is passed on through the trunk. If W is not a single linear or convolutional layer, it takes one
    backward pass for each task from C to W, and one more for the sum.

    The results are those of `SeparatePasses`, up to rounding.

    losses: T scalars that require a gradient; None for an absent task.
    cut: where the heads meet, from `plan`.
    shared: the parameters of W.
    names: the T task names, for the messages.
    scale: a loss scale > 0 to differentiate under. The norms are those of the unscaled gradients.
    Raises SharedLayerError if a loss does not depend on C or on W.

    >>> import torch
    >>> W = torch.nn.Linear(2, 2, bias=False)
    >>> features = W(torch.ones(1, 2))
    >>> losses = [features.sum(), 3 * features.sum()]
    >>> cut = OnePass.plan(losses, features, [W.weight])
    >>> measured = OnePass(losses, cut, [W.weight], ["depth", "normals"])
    >>> measured.norms
    tensor([2., 6.])
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
        # The gradients of W are computed here, so the pass through the trunk leaves them out.
        known = set() if self._layer is None else {id(p) for p in self._layer.parameters.values()}
        self._below = [
            node.variable for node in cut.users if hasattr(node, "variable") and id(node.variable) not in known
        ]
        self._present = [i for i, loss in enumerate(losses) if loss is not None]
        self._leaves: list[tuple[int, Tensor, Tensor]] = []
        each = self._heads_backward([loss for loss in losses if loss is not None], cut, names, scale)
        self._at_shared: list[tuple[Tensor, Tensor]] = []
        if self._layer is None:
            parts = [
                total_norm(self._shared_gradients(shared, g), names[i])
                for i, g in zip(self._present, each, strict=True)
            ]
            norms = torch.stack(parts)
            self._end, self._at_end = GradientEdge(*cut.end), torch.stack(each)
        else:
            self._end, self._at_end = GradientEdge(self._layer.node, 0), self._layer.at_output(each)
            self._at_shared = self._layer.gradients(self._at_end)
            parts = [torch.linalg.vector_norm(_single_or_wider(g).flatten(1), dim=1) for _, g in self._at_shared]
            norms = parts[0] if len(parts) == 1 else torch.linalg.vector_norm(torch.stack(parts), dim=0)
        self.norms = self._over_all_tasks(norms if scale is None else norms / scale.to(norms.device), len(losses))

    @staticmethod
    def plan(losses: Sequence[Tensor | None], features: Tensor, shared: Sequence[Tensor]) -> Cut | None:
        """Return where the heads meet, or None if one pass will not do.

        It will not if the heads meet nowhere above W, if one reaches W by another path, or if a hook on `features`,
        W or a head's own parameters would see unweighted gradients.

        losses: T scalars that require a gradient; None for an absent task.
        features: input or output of the shared layer, or any tensor between it and the heads.
        shared: the parameters of W.
        """
        cut = None if _has_hooks(features) else Cut.find(losses, features)
        if cut is None:
            return None
        wanted = {id(parameter) for parameter in shared}
        own = [leaf for head in cut.heads if head is not None for leaf in head.leaves]
        reached = any(id(getattr(node, "variable", None)) in wanted for node in cut.users)
        # A hook should see the weighted gradient, but the weights are not known yet in the pass through the heads.
        if not reached or any(id(leaf) in wanted or _has_hooks(leaf) for leaf in own) or any(map(_has_hooks, shared)):
            return None
        return cut

    def backward(self, weights: PerTask) -> None:
        """Add the gradient of Σ_i w_i L_i to `.grad` of every parameter, and free the graph.

        The parameters' own hooks run once, as in any backward pass.

        weights: w, shape [T], detached.
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

    def _heads_backward(
        self, losses: Sequence[Tensor], cut: Cut, names: Sequence[str], scale: Tensor | None
    ) -> list[Tensor]:
        """Return ∂L_i/∂C for each task that is present, and keep the gradients of the heads' own parameters."""
        heads = [head for head in cut.heads if head is not None]
        own = [(i, leaf) for i, head in zip(self._present, heads, strict=True) for leaf in head.leaves]
        with _recorded(heads) as recorded:
            inputs: list[Any] = [self._cut, *(leaf for _, leaf in own)]
            scales = None if scale is None else [scale.to(loss) for loss in losses]
            # The type stub promises a gradient for every input; an unused one has None.
            grads = cast(
                Sequence[Tensor | None], torch.autograd.grad(losses, inputs, grad_outputs=scales, allow_unused=True)
            )
        self._leaves = [(i, leaf, g) for (i, leaf), g in zip(own, grads[1:], strict=True) if g is not None]
        total = grads[0]
        at_cut: list[Tensor] = []
        for i, parts in zip(self._present, recorded, strict=True):
            if not parts or total is None:
                total_norm([None], names[i])  # raises
                raise AssertionError
            # Autograd matches shape and dtype of each part to those of C only after the hooks have run.
            fitted = [g.sum_to_size(total.shape).to(total) for g in parts]
            at_cut.append(fitted[0] if len(fitted) == 1 else torch.stack(fitted).sum(0))
        return at_cut

    def _shared_gradients(self, shared: Sequence[Tensor], grad: Tensor) -> Sequence[Tensor | None]:
        """Return one task's gradients of the shared parameters, from its gradient of C."""
        return torch.autograd.grad([self._cut], shared, [grad], retain_graph=True, allow_unused=True)

    def _over_all_tasks(self, values: Tensor, tasks: int) -> Tensor:
        """Return a vector over all tasks, NaN for those that are absent."""
        if len(self._present) == tasks:
            return values
        each = iter(values.unbind())
        nan = values.new_full((), float("nan"))
        return torch.stack([next(each) if i in self._present else nan for i in range(tasks)])


@contextmanager
def _recorded(heads: Sequence[Head]) -> Generator[list[list[Tensor]]]:
    """Yield a list for each head; the backward pass fills it with the gradients that the head passes to the cut."""
    recorded: list[list[Tensor]] = [[] for _ in heads]
    handles = [
        node.register_hook(_recording_hook(into, positions))
        for head, into in zip(heads, recorded, strict=True)
        for node, positions in head.exits.items()
    ]
    try:
        yield recorded
    finally:
        for handle in handles:
            handle.remove()


def _recording_hook(into: list[Tensor], positions: Sequence[int]) -> Any:
    def hook(grad_inputs: Sequence[Tensor | None], _: Node) -> None:
        into.extend(g for k in positions if (g := grad_inputs[k]) is not None)

    return hook


def _has_hooks(tensor: Tensor) -> bool:
    return tensor.retains_grad or bool(getattr(tensor, "_backward_hooks", None))


def _single_or_wider(grads: Tensor) -> Tensor:
    """Return gradients in single precision or wider, so that their squares do not overflow."""
    return grads.float() if grads.dtype in (torch.float16, torch.bfloat16) else grads


def _weighted_sum(weights: Tensor, grads: Tensor) -> Tensor:
    """Return Σ_i w_i G_i: [T], [T, …] → […]."""
    G = _single_or_wider(grads)
    w = weights.to(G)
    if G.is_contiguous() or G.dim() < 3:
        return (w @ G.flatten(1)).view(G.shape[1:]).to(grads)
    # In memory the batch axis comes first, and the tasks second.
    by_example = G.transpose(0, 1)
    return torch.matmul(w, by_example.flatten(2)).view(G.shape[1:]).to(grads)
