"""A 3×3 convolution's weight gradients by a quarter of the multiplications (Winograd, 1980; Lavin and Gray, 2016)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

_KERNEL, _TILE = 3, 4
_REACH = _KERNEL + _TILE - 1
# With fewer channels the products are too small to pay for the transforms.
_ENOUGH = 16
# Tiles in a band.
_BAND = 64


def serves(weight: Tensor, stride: Any, dilation: Any, groups: int) -> bool:
    """Whether `weight_gradients` takes a convolution, and is likely to be quicker than torch's own.

    weight: shape [O, I, 3, 3]. On a GPU torch's libraries make such choices themselves.
    """
    usual = tuple(stride) == (1, 1) and tuple(dilation) == (1, 1) and groups == 1
    precise = weight.dtype in (torch.float32, torch.float64)
    return (
        usual and precise and weight.device.type == "cpu" and weight.dim() == 4
        and tuple(weight.shape[2:]) == (_KERNEL, _KERNEL) and min(weight.shape[:2]) >= _ENOUGH
    )  # fmt: skip


def weight_gradients(X: Tensor, G: Tensor, padding: tuple[int, int]) -> Tensor:
    """Return Σ over batch and places of G_t[o] · X[i, shifted], for T tasks: shape [T, O, I, 3, 3].

    X: the convolution's input, [B, I, H, W].  G: gradients of its output, [T, B, O, H + 2p − 2, W + 2p − 2].
    In each tile the sum over 4×4 places, at 3×3 shifts, is 6×6 products instead of 144: both factors are
    evaluated as polynomials at six points an axis, multiplied there, and the result is read off.
    """
    tasks, batch, outputs, height, width = G.shape
    inputs = X.shape[1]
    rows, columns = -(-height // _TILE), -(-width // _TILE)
    low, right = rows * _TILE - height, columns * _TILE - width
    whole = functional.pad(G, (0, right, 0, low)) if low or right else G
    wide = functional.pad(X, (padding[1], padding[1] + right, padding[0], padding[0] + low))
    tiles = whole.unfold(3, _TILE, _TILE).unfold(4, _TILE, _TILE).permute(1, 3, 5, 6, 0, 2, 4)
    windows = wide.unfold(2, _REACH, _TILE).unfold(3, _REACH, _TILE).permute(0, 2, 4, 5, 3, 1)
    at_G, at_X, back = _transforms(X)
    found = X.new_zeros(_REACH**2, tasks * outputs, inputs)
    # Band by band, so that what a band is made into stays in the processor's cache.
    band = max(1, _BAND // columns)
    for b in range(batch):
        for top in range(0, rows, band):
            g = tiles[b, top : top + band].permute(1, 2, 3, 4, 0, 5).reshape(_TILE**2, -1)
            x = windows[b, top : top + band].permute(1, 2, 0, 3, 4).reshape(_REACH**2, -1)
            found.baddbmm_((at_G @ g).view(*found.shape[:2], -1), (at_X @ x).view(_REACH**2, -1, inputs))
    shape = (_KERNEL, _KERNEL, tasks, outputs, inputs)
    return (back @ found.flatten(1)).view(shape).permute(2, 3, 4, 0, 1)


def _transforms(like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the maps of a tile of G, of a window of X, and of their products, for both axes together."""
    # The product of two polynomials is V₆⁻¹(V₃a ∘ V₄b), V_n evaluating n coefficients; a sum over shifts is its
    # transpose.
    back, at_G, product = (_evaluate(n) for n in (_KERNEL, _TILE, _REACH))
    each = at_G, np.linalg.inv(product).T, back.T
    maps = [torch.from_numpy(np.kron(m, m)).to(like) for m in each]
    return maps[0], maps[1], maps[2]


def _evaluate(coefficients: int) -> Any:
    """Return the matrix that evaluates a polynomial at 0, ±1, ±2 and infinity."""
    points = np.vander([0.0, 1.0, -1.0, 2.0, -2.0], coefficients, increasing=True)
    return np.vstack([points, np.eye(coefficients)[-1]])
