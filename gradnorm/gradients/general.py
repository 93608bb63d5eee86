"""Gradient norms of each task at the shared layer W, one backward pass for each task. It works for any graph."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from gradnorm.common.shapes import Gramian, PerTask, Scalar
from gradnorm.gradients.autograd_graph import Head
from gradnorm.gradients.ranks import Parts, Ranks, single_or_wider
from gradnorm.gradients.weighted import Via, backward, backward_with_own_heads

Shared = nn.Module | nn.Parameter | Tensor | Iterable[Tensor]


class Measurement(Protocol):
    """What was measured on the graph of one step, and the weighted backward pass that is still to come.

    norms: ‖∇_W L_i‖₂ of the unweighted losses, shape [T], NaN for absent tasks; None if not measured.
    gramian: ∇L_i·∇L_j of the unweighted losses over all shared parameters, shape [T, T], NaN for absent tasks; None
        if not measured.
    """

    @property
    def norms(self) -> PerTask | None:
        """‖∇_W L_i‖₂, shape [T]."""
        ...

    @property
    def gramian(self) -> Gramian | None:
        """∇L_i·∇L_j, shape [T, T]."""
        ...

    def backward(self, weights: PerTask) -> None:
        """Add the gradient of Σ_i w_i L_i to `.grad` of every parameter, and free the graph.

        weights: w, shape [T], detached.
        """
        ...


class SharedLayerError(ValueError):
    """The shared layer has no parameter that requires a gradient, or a loss does not depend on it."""


def allow_several_passes() -> None:
    """Allow several backward passes through the graph of a compiled model, for all models of this process.

    By default torch.compile lets the first backward pass reuse the saved tensors ("donated buffers"), so that a
    second pass is an error. The setting is read when a compiled backward pass is built. It costs some memory.
    """
    config: Any = import_module("torch._functorch.config")
    if hasattr(config, "donated_buffer"):
        config.donated_buffer = False


def shared_parameters(shared: Shared | object) -> tuple[Tensor, ...]:
    """Return the parameters of W that require a gradient.

    shared: W as a module, a parameter, or an iterable of parameters.
    Raises SharedLayerError for anything else, or if none of them requires a gradient.

    >>> import torch
    >>> [tuple(parameter.shape) for parameter in shared_parameters(torch.nn.Linear(3, 4))]
    [(4, 3), (4,)]
    """
    return parameters_of(shared, "shared", "Pass the last layer that all tasks share")


def parameters_of(given: Shared | object, name: str, remedy: str) -> tuple[Tensor, ...]:
    """Return the parameters that require a gradient.

    given: a module, a parameter, or an iterable of parameters.
    name, remedy: what the argument is called and what to do, for the messages.
    Raises SharedLayerError for anything else, or if none of them requires a gradient.
    """
    listed: Any = _in_graph(given) if isinstance(given, nn.Module) else given
    several = isinstance(listed, Iterable) and not isinstance(listed, str | Tensor)
    found: list[Any] = list(cast(Iterable[Any], listed)) if several else [listed]
    wrong = [p for p in found if not isinstance(p, Tensor)]
    if wrong:
        raise SharedLayerError(
            f"{name} should be a module, a parameter, or several parameters. Found {wrong[0]!r}. {remedy}."
        )
    trainable = tuple(p for p in found if p.requires_grad)
    if not trainable:
        raise SharedLayerError(
            f"{name} should hold at least one parameter that requires a gradient. "
            f"Found {len(found)} parameters, none trainable. {remedy}."
        )
    return trainable


def _in_graph(module: nn.Module) -> list[nn.Parameter]:
    """Return a module's parameters as they are in the graph.

    Between passes FSDP shows pieces of them. The whole ones are gathered here, as they would be in the backward pass.
    """
    sharded: Any = getattr(sys.modules.get("torch.distributed.fsdp"), "FSDPModule", ())
    for part in module.modules() if sharded else ():
        if isinstance(part, sharded):
            cast(Any, part).unshard()
    return list(module.parameters())


def gradient_norms(
    losses: Sequence[Tensor | None],
    shared: Sequence[Tensor],
    names: Sequence[str],
    scale: Scalar | None = None,
    ranks: Ranks | None = None,
) -> PerTask:
    """Return ‖∇_W L_i‖₂ over all parameters of W together, shape [T], in single precision or wider.

    These are the norms of the unweighted losses; G_i(t) = w_i(t)·‖∇_W L_i‖₂ (section 3.1 of the GradNorm paper). The
    graph is kept.

    losses: T scalars that require a gradient; None for an absent task, whose norm is NaN.
    shared: the parameters of W.
    names: the T task names, for the messages.
    scale: a loss scale > 0 to differentiate under, so that half-precision gradients do not underflow. The norms
        returned are those of the unscaled gradients.
    ranks: the processes to average the gradients over before their norms are taken, if this one is not alone. The
        norm of a task that is absent from this process alone is not NaN then.
    Raises SharedLayerError if a loss depends on no parameter of W.

    >>> import torch
    >>> W = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
    >>> gradient_norms([W.square().sum(), W.sum() * 0, None], [W], ["depth", "normals", "edges"])
    tensor([10.,  0., nan])
    """
    each = (None if loss is None else _gradients(loss, shared, scale) for loss in losses)
    like = next(loss for loss in losses if loss is not None)
    norms = norms_of(each, shared, names, like, ranks)
    return norms if scale is None else norms / scale


def _gradients(loss: Tensor, shared: Sequence[Tensor], scale: Tensor | None) -> Parts:
    return torch.autograd.grad(loss, shared, grad_outputs=scale, retain_graph=True, allow_unused=True)


def norms_of(
    gradients: Iterable[Parts | None],
    shared: Sequence[Tensor],
    names: Sequence[str],
    like: Tensor,
    ranks: Ranks | None = None,
) -> PerTask:
    """Return the norm of each task's gradient, shape [T], NaN for an absent task.

    gradients: for each task its gradients of the parameters of W; None for an absent task.
    like: a tensor with the precision and the device that the norms should have.
    shared, names, ranks: as in `gradient_norms`.
    Raises SharedLayerError if all gradients of a task are None.
    """
    averaged = gradients if ranks is None else ranks.mean_gradients(gradients, shared)
    norms = [
        torch.full((), float("nan")) if parts is None else total_norm(parts, name)
        for parts, name in zip(averaged, names, strict=True)
    ]
    return torch.stack([norm.to(like) for norm in norms])


def total_norm(parts: Sequence[Tensor | None], name: str) -> Tensor:
    """Return the norm of one task's gradient over all parameters of W together, a scalar.

    parts: its gradient of each parameter, of the parameter's shape; None for one that the loss does not depend on.
    name: the task's name, for the message.
    Raises SharedLayerError if all parts are None.
    """
    grads = [single_or_wider(g.coalesce().values() if g.is_sparse else g) for g in parts if g is not None]
    if not grads:
        raise missing_path(name, len(parts))
    return nn.utils.get_total_norm(grads)


def norms_of_stacks(stacks: Sequence[Tensor], like: Tensor) -> PerTask:
    """Return the norm of each task's gradient over all parameters of W together, shape [T].

    stacks: for each parameter the gradients of all tasks, shape [T, *parameter.shape].
    like: a tensor with the precision that the norms should have.
    """
    norms = [torch.linalg.vector_norm(single_or_wider(stack).flatten(1), dim=1) for stack in stacks]
    return (norms[0] if len(norms) == 1 else torch.linalg.vector_norm(torch.stack(norms), dim=0)).to(like)


def missing_path(name: str, parameters: int) -> SharedLayerError:
    """Return the error for a loss that depends on no parameter of W.

    name: the task's name.  parameters: how many W has.
    """
    return SharedLayerError(
        f"The loss of {name!r} should depend on the shared layer. Found no path to any of its "
        f"{parameters} parameters. Pass the last layer that every task's output goes through."
    )


class SeparatePasses:
    """Measure norms by one backward pass for each task, and back-propagate the weighted sum by one more.

    This works for any graph; `OnePass` is faster where it applies.

    losses, shared, names, scale, ranks: as in `gradient_norms`.
    wants_norms: whether to measure the norms at all.
    heads: each task's own part of the graph, which is to get the gradient of its own loss; None weighs all.
    first: the weights w, shape [T], if the weighted sum has to be back-propagated before anything is measured.
    via: what runs the weighted backward pass, as in `weighted.backward`.
    vector: the losses as one tensor, shape [T], if no task is absent and there is one.
    Raises SharedLayerError if a loss depends on no parameter of W.
    """

    gramian: Gramian | None = None

    def __init__(
        self,
        losses: Sequence[Tensor | None],
        shared: Sequence[Tensor],
        names: Sequence[str],
        scale: Tensor | None = None,
        ranks: Ranks | None = None,
        *,
        wants_norms: bool = True,
        heads: Sequence[Head | None] | None = None,
        first: PerTask | None = None,
        vector: Tensor | None = None,
        via: Via | None = None,
    ) -> None:
        self._losses, self._scale, self._heads, self._via = losses, scale, heads, via
        self._vector = vector
        self._done = first is not None
        if first is not None:
            self._weighted(first, keep_graph=True)
        self.norms = gradient_norms(losses, shared, names, scale, ranks) if wants_norms else None

    def backward(self, weights: PerTask) -> None:
        """Add the gradient of Σ_i w_i L_i to `.grad` of every parameter, and free the graph; see `Measurement`."""
        if not self._done:
            self._weighted(weights)

    def _weighted(self, weights: PerTask, *, keep_graph: bool = False) -> None:
        if self._heads is None:
            whole = self._losses if self._vector is None else self._vector
            backward(whole, weights, self._scale, via=self._via, keep_graph=keep_graph)
        else:
            backward_with_own_heads(
                self._losses, self._heads, weights, self._scale, via=self._via, keep_graph=keep_graph
            )
