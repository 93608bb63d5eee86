"""A smooth network u(x) of points, with its first and second derivatives carried along in closed form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from gradnorm.datasets.problems.base import Derivatives
from gradnorm.models.mlp import Initialization, linear


class Field(nn.Module):
    """Fully connected tanh layers and an affine one at the end: points [N, D] → values [N, outputs].

    inputs: D, the coordinates of a point, ≥ 1.  outputs: numbers at each point, ≥ 1.
    width: the units of each hidden layer, ≥ 1.  depth: the number of hidden layers, ≥ 1; the last one is W.
    initialization: as in `MLP`.
    seed: ≥ 0; the initial parameters are the same on every device.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        width: int = 50,
        depth: int = 3,
        initialization: Initialization = "xavier",
        seed: int = 0,
    ) -> None:
        super().__init__()
        sizes = [inputs, *[width] * depth]
        self.hidden = nn.ModuleList(
            linear(sizes[i], width, initialization, seed, "field layer", i, _Hidden) for i in range(depth)
        )
        self.head = linear(width, outputs, initialization, seed, "field head", 0)

    @property
    def last_shared_layer(self) -> nn.Module:
        """W, the last hidden layer."""
        return self.hidden[-1]

    def forward(self, points: Float[Tensor, "n inputs"]) -> Float[Tensor, "n outputs"]:
        """Return u at points."""
        for layer in self.hidden:
            points = layer(points).tanh()
        return self.head(points)

    def derivatives(self, points: Float[Tensor, "n inputs"], second: Sequence[int] = ()) -> Derivatives:
        """Return u with all first derivatives, and ∂²u/∂x_a² for each axis a of `second`; all can be differentiated.

        points: [N, D].  second: axes from 0 to D − 1.

        Values and derivatives go through each layer as one product; through tanh they go by the chain rule.
        """
        count, axes = points.shape
        # Of x itself: ∂x/∂x_a is the a-th unit vector everywhere.
        first = torch.eye(axes, dtype=points.dtype, device=points.device)[:, None].expand(-1, count, -1)
        parts = torch.cat([points[None], first, points.new_zeros(len(second), count, axes)])
        for layer in cast("Iterable[_Hidden]", self.hidden):
            parts = cast("Tensor", _Tanh.apply(layer(parts, biased=False), layer.bias, tuple(second)))
        value, first, curved = (parts @ self.head.weight.T).split([1, axes, len(second)])
        return Derivatives(value[0] + self.head.bias, first, curved)


class _Hidden(nn.Linear):
    """An affine layer that also maps derivatives, which its bias is no part of."""

    def forward(self, input: Tensor, biased: bool = True) -> Tensor:
        """Return W·input, with the bias if `biased`."""
        return functional.linear(input, self.weight, self.bias if biased else None)


class _Tanh(torch.autograd.Function):
    """tanh(z + b) with its derivatives, of z with its own: the chain rule, and its gradient, in few operations.

    With h = tanh(z + b) and s = 1 − h² it is ∂h/∂x = s ∂z/∂x and ∂²h/∂x² = s ∂²z/∂x² − 2hs (∂z/∂x)².
    """

    @staticmethod
    def forward(ctx: Any, parts: Tensor, bias: Tensor, second: tuple[int, ...]) -> Tensor:
        """Return [1 + D + S, N, width] from z, its D first derivatives and its S second ones along `second`."""
        out = torch.empty_like(parts)
        end = len(parts) - len(second)
        value = torch.tanh(parts[0] + bias)
        slope = 1 - value * value
        out[0] = value
        torch.mul(parts[1:], slope, out=out[1:])
        bend = value * slope
        for place, axis in enumerate(second, end):
            out[place].addcmul_(bend * parts[1 + axis], parts[1 + axis], value=-2)
        ctx.save_for_backward(parts, value, slope, bend)
        ctx.second, ctx.end = second, end
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor, Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the gradients of z with its derivatives, and of b."""
        (grad,) = grads
        parts, value, slope, bend = ctx.saved_tensors
        below = grad * slope
        # ds/dz = −2hs, for all that is a multiple of s.
        at_value = (grad[1:] * parts[1:]).sum(0).mul_(bend).mul_(-2)
        for place, axis in enumerate(ctx.second, ctx.end):
            along, curved = parts[1 + axis], grad[place]
            pushed = curved * along
            below[1 + axis].addcmul_(bend, pushed, value=-4)
            # d(hs)/dz = s² − 2h²s = s(1 − 3h²)
            at_value.addcmul_(pushed.mul_(along), slope * (1 - 3 * value * value), value=-2)
        below[0].add_(at_value)
        return below, below[0].sum(0), None
