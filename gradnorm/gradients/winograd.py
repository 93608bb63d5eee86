"""Weight gradients of 3×3 convolutions with a quarter of the multiplications.

Papers: Winograd, "Arithmetic Complexity of Computations", 1980; Lavin, Gray, "Fast Algorithms for Convolutional Neural
Networks", CVPR 2016 (arXiv:1509.09308).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

_KERNEL, _TILE = 3, 4
_REACH = _KERNEL + _TILE - 1
# With fewer channels the transforms cost more than the smaller products save.
_MIN_CHANNELS = 16
# Tiles that are worked on at once.
_BAND_TILES = 64


def is_faster(weight: Tensor, stride: Any, dilation: Any, groups: int) -> bool:
    """Return whether `weight_gradients` applies to a convolution and is likely to be faster than torch.

    weight: shape [O, I, 3, 3] with at least 16 channels each, float32 or float64, on the CPU. On a GPU torch's
        libraries choose such algorithms themselves.
    stride, dilation: both have to be (1, 1).  groups: has to be 1.
    """
    usual = tuple(stride) == (1, 1) and tuple(dilation) == (1, 1) and groups == 1
    precise = weight.dtype in (torch.float32, torch.float64)
    return (
        usual and precise and weight.device.type == "cpu" and weight.dim() == 4
        and tuple(weight.shape[2:]) == (_KERNEL, _KERNEL) and min(weight.shape[:2]) >= _MIN_CHANNELS
    )  # fmt: skip


def weight_gradients(X: Tensor, G: Tensor, padding: tuple[int, int]) -> Tensor:
    """Return the weight gradients of a 3×3 convolution for T tasks, shape [T, O, I, 3, 3].

    They are the sums over batch and positions of G_t[o] · X[i], at each of the 3×3 shifts. In a tile of 4×4 positions
    this takes 6×6 products instead of 144: both factors are evaluated as polynomials at six points along each axis,
    multiplied there, and the coefficients of the product are recovered.

    X: the convolution's input, shape [B, I, H, W].
    G: the gradients of its output, shape [T, B, O, H + 2p − 2, W + 2p − 2].
    padding: p along each axis, ≥ 0.

    >>> import torch
    >>> X, G = torch.randn(2, 3, 8, 8).double(), torch.randn(1, 2, 4, 8, 8).double()
    >>> expected = torch.nn.grad.conv2d_weight(X, (4, 3, 3, 3), G[0], padding=1)
    >>> torch.allclose(weight_gradients(X, G, (1, 1))[0], expected)
    True
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
    products = X.new_zeros(_REACH**2, tasks * outputs, inputs)
    # Band by band, so that the transformed tiles of a band fit in the processor's cache.
    band = max(1, _BAND_TILES // columns)
    for b in range(batch):
        for top in range(0, rows, band):
            g = tiles[b, top : top + band].permute(1, 2, 3, 4, 0, 5).reshape(_TILE**2, -1)
            x = windows[b, top : top + band].permute(1, 2, 0, 3, 4).reshape(_REACH**2, -1)
            products.baddbmm_((at_G @ g).view(*products.shape[:2], -1), (at_X @ x).view(_REACH**2, -1, inputs))
    shape = (_KERNEL, _KERNEL, tasks, outputs, inputs)
    return (back @ products.flatten(1)).view(shape).permute(2, 3, 4, 0, 1)


def _transforms(like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the matrices that transform a tile of G, a window of X, and their product, for both axes together."""
    # The product of the polynomials a and b is V₆⁻¹(V₃a ∘ V₄b), where V_n evaluates n coefficients. The sum over
    # shifts is its transpose.
    back, at_G, product = (_evaluate(n) for n in (_KERNEL, _TILE, _REACH))
    each = at_G, np.linalg.inv(product).T, back.T
    maps = [torch.from_numpy(np.kron(m, m)).to(like) for m in each]
    return maps[0], maps[1], maps[2]


def _evaluate(coefficients: int) -> Any:
    """Return the matrix that evaluates a polynomial at 0, ±1, ±2 and infinity."""
    points = np.vander([0.0, 1.0, -1.0, 2.0, -2.0], coefficients, increasing=True)
    return np.vstack([points, np.eye(coefficients)[-1]])
