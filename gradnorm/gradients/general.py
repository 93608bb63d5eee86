"""Gradient norms of each task at the shared layer W, one backward pass for each task. It works for any graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from gradnorm.common.shapes import Gramian, PerTask, Scalar

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


def shared_parameters(shared: Shared) -> tuple[Tensor, ...]:
    """Return the parameters of W that require a gradient.

    shared: W as a module, a parameter, or an iterable of parameters.
    Raises SharedLayerError if there are none.

    >>> import torch
    >>> [tuple(parameter.shape) for parameter in shared_parameters(torch.nn.Linear(3, 4))]
    [(4, 3), (4,)]
    """
    if isinstance(shared, nn.Module):
        parameters: tuple[Tensor, ...] = tuple(shared.parameters())
    elif isinstance(shared, Tensor):
        parameters = (shared,)
    else:
        parameters = tuple(shared)
    trainable = tuple(p for p in parameters if p.requires_grad)
    if not trainable:
        raise SharedLayerError(
            "shared should hold at least one parameter that requires a gradient. "
            f"Found {len(parameters)} parameters, none trainable. Pass the last layer that all tasks share."
        )
    return trainable


def gradient_norms(
    losses: Sequence[Tensor | None],
    shared: Sequence[Tensor],
    names: Sequence[str],
    scale: Scalar | None = None,
) -> PerTask:
    """Return ‖∇_W L_i‖₂ over all parameters of W together, shape [T], in single precision or wider.

    These are the norms of the unweighted losses; G_i(t) = w_i(t)·‖∇_W L_i‖₂ (section 3.1 of the GradNorm paper). The
    graph is kept.

    losses: T scalars that require a gradient; None for an absent task, whose norm is NaN.
    shared: the parameters of W.
    names: the T task names, for the messages.
    scale: a loss scale > 0 to differentiate under, so that half-precision gradients do not underflow. The norms
        returned are those of the unscaled gradients.
    Raises SharedLayerError if a loss depends on no parameter of W.

    >>> import torch
    >>> W = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
    >>> gradient_norms([W.square().sum(), W.sum() * 0, None], [W], ["depth", "normals", "edges"])
    tensor([10.,  0., nan])
    """
    present = next(loss for loss in losses if loss is not None)
    missing = present.new_full((), float("nan")).detach()
    norms = [
        missing if loss is None else _gradient_norm(loss, shared, name, scale)
        for loss, name in zip(losses, names, strict=True)
    ]
    stacked = torch.stack([norm.to(present) for norm in norms])
    return stacked if scale is None else stacked / scale


def _gradient_norm(loss: Tensor, shared: Sequence[Tensor], name: str, scale: Tensor | None) -> Tensor:
    grads = torch.autograd.grad(loss, shared, grad_outputs=scale, retain_graph=True, allow_unused=True)
    return total_norm(grads, name)


def total_norm(parts: Sequence[Tensor | None], name: str) -> Tensor:
    """Return the norm of one task's gradient over all parameters of W together, a scalar.

    parts: its gradient of each parameter, of the parameter's shape; None for one that the loss does not depend on.
    name: the task's name, for the message.
    Raises SharedLayerError if all parts are None.
    """
    # Sums of squares overflow in half precision, but not in single precision.
    grads = [g.float() if g.dtype in (torch.float16, torch.bfloat16) else g for g in parts if g is not None]
    if not grads:
        raise SharedLayerError(
            f"The loss of {name!r} should depend on the shared layer. Found no path to any of its "
            f"{len(parts)} parameters. Pass the last layer that every task's output goes through."
        )
    return nn.utils.get_total_norm(grads)


def backward(losses: Sequence[Tensor | None], weights: PerTask, scale: Scalar | None = None) -> None:
    """Add the gradient of Σ_i w_i L_i to `.grad` of every parameter, and free the graph.

    losses: T scalars that require a gradient; None for an absent task.
    weights: w, shape [T], detached.
    scale: a loss scale > 0 that the gradients are multiplied by.
    """
    factors = weights if scale is None else weights * scale
    pairs = [(loss, factors[i].to(loss)) for i, loss in enumerate(losses) if loss is not None]
    torch.autograd.backward([loss for loss, _ in pairs], [factor for _, factor in pairs])


class SeparatePasses:
    """Measure norms by one backward pass for each task, and back-propagate the weighted sum by one more.

    This works for any graph; `OnePass` is faster where it applies.

    losses, shared, names, scale: as in `gradient_norms`.
    wants_norms: whether to measure the norms at all.
    Raises SharedLayerError if a loss depends on no parameter of W.
    """

    gramian: Gramian | None = None

    def __init__(
        self,
        losses: Sequence[Tensor | None],
        shared: Sequence[Tensor],
        names: Sequence[str],
        scale: Tensor | None = None,
        *,
        wants_norms: bool = True,
    ) -> None:
        self._losses, self._scale = losses, scale
        self.norms = gradient_norms(losses, shared, names, scale) if wants_norms else None

    def backward(self, weights: PerTask) -> None:
        """Add the gradient of Σ_i w_i L_i to `.grad` of every parameter, and free the graph; see `Measurement`."""
        backward(self._losses, weights, self._scale)
