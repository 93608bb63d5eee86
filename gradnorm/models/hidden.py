"""Which layer of a network without heads the gradient norms are measured at, and what it returns."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


def last_hidden(model: nn.Module) -> nn.Module:
    """Return W of any network: its `last_shared_layer`, else the last but one of the modules with a weight matrix.

    Raises ValueError if it has neither.
    """
    named = getattr(model, "last_shared_layer", None)
    if isinstance(named, nn.Module):
        return named
    layers = [part for part in model.modules() if any(own.dim() > 1 for own in part.parameters(recurse=False))]
    if len(layers) < 2:
        raise ValueError(
            "A network should say where norms are measured, or have at least two layers with weights. "
            f"Found {len(layers)}. Give it an attribute last_shared_layer, or measure at all parameters."
        )
    return layers[-2]


@contextmanager
def outputs_of(layer: nn.Module) -> Generator[list[Tensor]]:
    """Give a list to which each call of `layer` in the block adds what it returns, if that can be differentiated."""
    outputs: list[Tensor] = []

    def keep(_: nn.Module, __: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.grad_fn is not None:
            outputs.append(output)

    handle = layer.register_forward_hook(keep)
    try:
        yield outputs
    finally:
        handle.remove()
