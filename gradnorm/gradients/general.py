"""Per-task gradients at the shared layer W, for any graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from gradnorm.common.shapes import Gramian, PerTask, Scalar

Shared = nn.Module | nn.Parameter | Tensor | Iterable[Tensor]


class Measurement(Protocol):
    """One step's graph, measured and ready for its backward pass.

    norms: ‖∇_W L_i‖₂, shape [T], and gramian: ∇L_i·∇L_j, shape [T, T], of the unweighted losses; None where
        not measured; NaN for absent tasks.
    """

    @property
    def norms(self) -> PerTask | None:
        """See the class."""
        ...

    @property
    def gramian(self) -> Gramian | None:
        """See the class."""
        ...

    def backward(self, weights: PerTask) -> None:
        """Add the weighted gradients to `.grad` of every parameter, and free the graph."""
        ...


class SharedLayerError(ValueError):
    """The shared layer has nothing to differentiate, or a loss does not reach it."""


def allow_several_passes() -> None:
    """Let the graph of a compiled model be differentiated once for each task.

    torch.compile lets the first backward pass reuse the saved tensors ("donated buffers"), which makes a
    second pass an error. The setting is read when a compiled backward is built, and costs some memory.
    """
    config: Any = import_module("torch._functorch.config")
    if hasattr(config, "donated_buffer"):
        config.donated_buffer = False


def shared_parameters(shared: Shared) -> tuple[Tensor, ...]:
    """Return the parameters of W that require a gradient.

    shared: a module, a parameter, or an iterable of parameters.
    Raises SharedLayerError if there are none.
    """
    if isinstance(shared, nn.Module):
        found: tuple[Tensor, ...] = tuple(shared.parameters())
    elif isinstance(shared, Tensor):
        found = (shared,)
    else:
        found = tuple(shared)
    wanted = tuple(p for p in found if p.requires_grad)
    if not wanted:
        raise SharedLayerError(
            "shared should hold at least one parameter that requires a gradient. "
            f"Found {len(found)} parameters, none trainable. Pass the last layer that all tasks share."
        )
    return wanted


def gradient_norms(
    losses: Sequence[Tensor | None],
    shared: Sequence[Tensor],
    names: Sequence[str],
    scale: Scalar | None = None,
) -> PerTask:
    """Return ‖∇_W L_i‖₂ over all parameters of W together, shape [T], float32 or wider.

    losses: T attached scalars; None where a task is absent (its norm is NaN). The graph is kept.
    scale: a loss scale to differentiate under, so that half-precision gradients do not underflow;
        the norms returned are those of the unscaled gradients.
    Raises SharedLayerError if a loss reaches no parameter of W.
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
    found = torch.autograd.grad(loss, shared, grad_outputs=scale, retain_graph=True, allow_unused=True)
    return total_norm(found, name)


def total_norm(found: Sequence[Tensor | None], name: str) -> Tensor:
    """Return the norm of the parts of one task's gradient; None stands for no path. Raises SharedLayerError."""
    # Sums of squares overflow in half precision; single precision holds them.
    grads = [g.float() if g.dtype in (torch.float16, torch.bfloat16) else g for g in found if g is not None]
    if not grads:
        raise SharedLayerError(
            f"The loss of {name!r} should depend on the shared layer. Found no path to any of its "
            f"{len(found)} parameters. Pass the last layer that every task's output goes through."
        )
    return nn.utils.get_total_norm(grads)


def backward(losses: Sequence[Tensor | None], weights: PerTask, scale: Scalar | None = None) -> None:
    """Add the gradient of Σ_i w_i L_i (times `scale`) to `.grad` of every parameter, and free the graph.

    weights: w, shape [T], detached.
    """
    factors = weights if scale is None else weights * scale
    pairs = [(loss, factors[i].to(loss)) for i, loss in enumerate(losses) if loss is not None]
    torch.autograd.backward([loss for loss, _ in pairs], [factor for _, factor in pairs])


class SeparatePasses:
    """One backward pass a task for the norms, if they are wanted, and one for the weighted sum: any graph will do."""

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
        """Add the gradient of Σ_i w_i L_i; see `backward`."""
        backward(self._losses, weights, self._scale)
