"""The weighted backward pass of one step, which yields the gradient norms on its way."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from gradnorm.common.shapes import Gramian, PerTask, Scalar
from gradnorm.gradients.autograd_graph import Cut
from gradnorm.gradients.general import Parts, missing_path, norms_of, norms_of_stacks
from gradnorm.gradients.layer_rules import Layer
from gradnorm.gradients.ranks import Ranks
from gradnorm.gradients.weighted import Via, at_exits, backward


class OnePass:
    """Back-propagate Σ_i w_i L_i once and measure the norms on the way, for a network whose heads meet in one tensor C.

    This is an ordinary backward pass, so hooks of any kind see what they would see without this package. In it every
    head passes w_i·∂L_i/∂C to C, which is recorded before autograd sums it. When all heads are done, one product
    gives every w_i·∇_W L_i, if W is a single linear or convolutional layer. Otherwise it takes one more backward
    pass for each task from C to W.

    The results are those of `SeparatePasses`, up to rounding. A hook that changes the gradient of a tensor between C
    and W, other than `features`, changes the gradients, but not the norms.

    losses: T scalars that require a gradient; None for an absent task.
    weights: w > 0, shape [T], detached; they have to be known before the norms are.
    own_heads: whether the weights apply at C, so that each head gets the gradient of its own loss.
    cut: where the heads meet, from `plan`.
    shared: the parameters of W.
    names: the T task names, for the messages.
    scale: a loss scale > 0 to differentiate under. The norms are those of the unscaled gradients.
    ranks: the processes to average the gradients over before their norms are taken, if this one is not alone.
    via: what runs the backward pass, as in `weighted.backward`.
    vector: the losses as one tensor, shape [T], if no task is absent and there is one.
    Raises SharedLayerError if a loss does not depend on C or on W.

    >>> import torch
    >>> W = torch.nn.Linear(2, 2, bias=False)
    >>> features = W(torch.ones(1, 2))
    >>> losses = [features.sum(), 3 * features.sum()]
    >>> cut = OnePass.plan(losses, features, [W.weight])
    >>> measured = OnePass(losses, torch.tensor([1.0, 0.5]), cut, [W.weight], ["depth", "normals"])
    >>> measured.norms
    tensor([2., 6.])
    >>> W.weight.grad  # of L_1 + L_2/2
    tensor([[2.5000, 2.5000],
            [2.5000, 2.5000]])
    """

    gramian: Gramian | None = None

    def __init__(
        self,
        losses: Sequence[Tensor | None],
        weights: PerTask,
        cut: Cut,
        shared: Sequence[Tensor],
        names: Sequence[str],
        scale: Scalar | None = None,
        ranks: Ranks | None = None,
        *,
        own_heads: bool = False,
        vector: Tensor | None = None,
        via: Via | None = None,
    ) -> None:
        present = [i for i, loss in enumerate(losses) if loss is not None]
        layer = Layer.find(cut, shared)
        passed = _Passed(cut, len(present), 0 if layer is None else layer.task_axis)
        norms: list[PerTask] = []
        each: list[Parts | None] = [None] * len(losses)

        def measure() -> None:
            for i, there in zip(present, passed.seen, strict=True):
                if not there:
                    raise missing_path(names[i], len(shared))
            if layer is not None and ranks is None and len(present) == len(losses):
                norms.append(norms_of_stacks(layer.gradients(passed.by_task), weights))
                return
            for i, gradients in zip(present, _at_shared(cut, layer, shared, passed.by_task), strict=True):
                each[i] = gradients

        factors = weights.unbind() if own_heads else None
        with _when_the_heads_are_done(cut, passed, measure, factors):
            whole = losses if vector is None else vector
            factor = backward(whole, torch.ones_like(weights) if own_heads else weights, scale, via=via)
        if not norms and each[present[0]] is None:
            raise missing_path(names[present[0]], len(shared))
        found = norms[0] if norms else norms_of(each, shared, names, weights, ranks)
        self.norms = found / (weights if factor is None else weights * factor)

    @staticmethod
    def plan(losses: Sequence[Tensor | None], features: Tensor | None, shared: Sequence[Tensor]) -> Cut | None:
        """Return where the heads meet, or None if one pass will not do.

        It will not if the heads meet nowhere above W, or if one reaches W by another path. Where `features` is not
        known, it will not for a single task either. Nor will it if a hook on
        `features` or W may change the gradients from which the norms are taken.

        losses: T scalars that require a gradient; None for an absent task.
        features: input or output of the shared layer, or any tensor between it and the heads; None to look for the
            place where heads meet in the graph alone.
        shared: the parameters of W, or the activation that takes its place.
        """
        if (features is not None and _has_hooks(features)) or any(map(_has_hooks, shared)):
            return None
        cut = Cut.find(losses, features)
        # Heads that each use W by itself meet in no tensor above it.
        if cut is None or (features is None and hasattr(cut.end[0], "variable")):
            return None
        wanted = {id(parameter) for parameter in shared}
        own = [leaf for head in cut.heads if head is not None for leaf in head.leaves]
        made = {parameter.grad_fn for parameter in shared if parameter.grad_fn is not None}
        reached = any(id(getattr(node, "variable", None)) in wanted or node in made for node in cut.users)
        return cut if reached and not any(id(leaf) in wanted for leaf in own) else None

    def backward(self, weights: PerTask) -> None:
        """Do nothing more: the gradient of Σ_i w_i L_i has been added.

        weights: those that the pass was taken with, shape [T].
        """


def _at_shared(cut: Cut, layer: Layer | None, shared: Sequence[Tensor], at_cut: Tensor) -> list[Parts]:
    """Return the gradients of the shared parameters, from those at the cut, shape [n, ...]; one entry for each."""
    if layer is not None:
        return list(zip(*layer.gradients(at_cut), strict=True))
    edge = GradientEdge(*cut.end)
    return [torch.autograd.grad([edge], shared, [g], retain_graph=True, allow_unused=True) for g in at_cut]


class _Passed:
    """What each head passes to the cut, copied at once.

    Autograd would otherwise have no buffer of its own to sum them in, and each would leave the cache before it is used.

    cut: where the heads meet, in a tensor C.  tasks: n, the heads that are present.
    axis: where they go in the shape of C.
    """

    def __init__(self, cut: Cut, tasks: int, axis: int) -> None:
        node, output = cut.end
        like = node._input_metadata[output]
        shape = [*like.shape[:axis], tasks, *like.shape[axis:]]
        self.by_task = torch.empty(shape, dtype=like.dtype, device=like.device).movedim(axis, 0)
        self.seen = [False] * tasks

    def taker(self, k: int) -> Callable[[Tensor], None]:
        """Return what is to be called with each gradient that head k passes."""
        place = self.by_task[k]

        def take(grad: Tensor) -> None:
            # Autograd matches the shape of each part to that of C only after the hooks have run.
            part = grad if grad.shape == place.shape else grad.sum_to_size(place.shape)
            if self.seen[k]:
                place.add_(part)
            else:
                place.copy_(part)
                self.seen[k] = True

        return take


@contextmanager
def _when_the_heads_are_done(
    cut: Cut, passed: _Passed, measure: Callable[[], None], factors: Sequence[Tensor] | None
) -> Generator[None]:
    """Have `measure` called once, when autograd arrives at the cut and `passed` has what came there.

    factors: what the gradients that each task's head passes to C are multiplied by; None leaves them as they are.
    """
    present = [(i, head) for i, head in enumerate(cut.heads) if head is not None]
    handles = [
        handle
        for k, (i, head) in enumerate(present)
        for handle in at_exits(head, None if factors is None else factors[i], passed.taker(k))
    ]

    def arrived(_: Sequence[Tensor | None]) -> None:
        # Passes that `measure` starts at the cut come by here, too.
        at_cut.remove()
        measure()

    at_cut = cut.end[0].register_prehook(arrived)
    try:
        yield
    finally:
        for handle in (at_cut, *handles):
            handle.remove()


def _has_hooks(tensor: Tensor) -> bool:
    """Return whether a hook may change the gradient of a tensor; those by which FSDP gathers parameters do not."""
    hooks: dict[int, Any] = getattr(tensor, "_backward_hooks", None) or {}
    modules = [str(getattr(hook, "__module__", "")) for hook in hooks.values()]
    return not all(module.startswith("torch.distributed.") for module in modules)
