"""N networks `MLP` of one shape as one program: both passes as batched matrix products, without autograd.

N runs, T tasks, B examples, K units; O is the largest number of outputs that a task has. All heads are one matrix of
T·O rows; the rows that a smaller task does not use are 0 and stay 0. Z is the output of W, the last shared layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gradnorm.models.mlp import MLP


@dataclass(frozen=True)
class Layout:
    """Where each parameter of N networks lies in one flat tensor: layer by layer, and in a layer run by run.

    sizes: units from the input to W's output.  outputs: of each task.
    """

    runs: int
    sizes: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def padded(self) -> int:
        """O, the outputs that each head has room for."""
        return max(self.outputs)

    @property
    def shapes(self) -> list[tuple[int, int, int]]:
        """Of the weights and biases of each layer in turn, the heads' last."""
        found: list[tuple[int, int, int]] = []
        for inputs, units in zip(self.sizes, [*self.sizes[1:], self.padded * len(self.outputs)], strict=True):
            found += [(self.runs, units, inputs), (self.runs, 1, units)]
        return found

    def empty(self, like: Tensor) -> Tensor:
        """Return zeros for all parameters, shape [P]."""
        return like.new_zeros(sum(map(prod, self.shapes)))

    def parts(self, flat: Tensor) -> list[Tensor]:
        """Return the parts of a flat tensor as views of `shapes`."""
        return [
            part.view(shape) for part, shape in zip(flat.split([*map(prod, self.shapes)]), self.shapes, strict=True)
        ]

    def of_run(self, flat: Tensor, run: int) -> list[Tensor]:
        """Return one network's share as views, in the order and the shapes of `MLP.parameters()`."""
        *layers, heads, head_biases = [part[run] for part in self.parts(flat)]
        found = [part if i % 2 == 0 else part[0] for i, part in enumerate(layers)]
        for task, outputs in enumerate(self.outputs):
            rows = slice(task * self.padded, task * self.padded + outputs)
            found += [heads[rows], head_biases[0, rows]]
        return found


class Stack:
    """Takes over the parameters of N networks of one shape: they are views of `parameters` from then on.

    batch: B, the examples of each step.
    parameters, gradients: flat, shape [P], as `layout` says.
    """

    def __init__(self, models: Sequence[MLP], batch: int) -> None:
        layers = [layer for layer in models[0].modules() if isinstance(layer, nn.Linear)]
        shared, heads = layers[: -len(models[0].heads)], layers[-len(models[0].heads) :]
        outputs = [head.out_features for head in heads]
        sizes = (shared[0].in_features, *(layer.out_features for layer in shared))
        self.layout = Layout(len(models), sizes, tuple(outputs))
        like = shared[-1].weight.detach()
        self.parameters, self.gradients = self.layout.empty(like), self.layout.empty(like)
        for run, model in enumerate(models):
            for parameter, view in zip(model.parameters(), self.layout.of_run(self.parameters, run), strict=True):
                view.copy_(parameter.detach())
                parameter.data = view
        parts, gradients = self.layout.parts(self.parameters), self.layout.parts(self.gradients)
        self._weights, self._biases = parts[0::2], parts[1::2]
        self._transposed = [weight.mT for weight in self._weights]
        self._weight_gradients, self._bias_gradients = gradients[0::2], gradients[1::2]
        # As a factor it sums over a batch and adds to what was there in one operation.
        self._ones = like.new_ones(len(models), 1, batch)
        # What each layer, W and the heads included, puts out.
        self._outputs = [like.new_empty(len(models), batch, weight.shape[1]) for weight in self._weights]
        self._inputs: list[Tensor] = []
        # Room for ∂L_i/∂Z and ∇_W L_i of each task, kept: to ask the system for it at each step takes longer than
        # to fill it.
        each = len(models) * len(outputs)
        self._by_output = like.new_empty(each, batch, sizes[-1])
        self._by_weight = like.new_empty(each, sizes[-1], sizes[-2])

    def forward(self, inputs: Float[Tensor, "some batch features"]) -> Float[Tensor, "runs batch outputs"]:
        """Return all heads' outputs, shape [N, B, T·O], valid until the next call.

        inputs: [N, B, D], or [1, B, D] for the same examples in all runs.
        """
        x = inputs.expand(self.layout.runs, -1, -1)
        self._inputs = []
        last = len(self._weights) - 1
        for i, (weight, bias, output) in enumerate(zip(self._transposed, self._biases, self._outputs, strict=True)):
            self._inputs.append(x)
            x = torch.baddbmm(bias, x, weight, out=output)
            if i < last:
                x.relu_()
        return x

    def backward(
        self,
        output_gradients: Float[Tensor, "runs batch outputs"],
        factors: Float[Tensor, "runs tasks"] | None = None,
        *,
        decay: float,
        measure: bool,
    ) -> Float[Tensor, "runs tasks"] | None:
        """Set `gradients` to decay·gradients + ∇ of the sum of all losses; return ‖∇_W L_i‖₂ of each, shape [N, T].

        output_gradients: ∂L_i/∂(head i's outputs), shape [N, B, T·O], of losses with their weights already in.
        factors: what each task's gradient is multiplied by where it leaves its head, shape [N, T]; None for 1.
        decay: in [0, 1); with SGD's momentum the gradients are the velocity, in the product's own pass over them.
        measure: whether the norms are wanted; None is returned otherwise.
        """
        top = len(self._weights) - 1
        self._accumulate(top, output_gradients, decay)
        if factors is not None:
            of_tasks = output_gradients.unflatten(2, (len(self.layout.outputs), -1))
            output_gradients = (of_tasks * factors[:, None, :, None]).flatten(2)
        if measure:
            norms, delta = self._at_shared_layer(output_gradients, decay)
        else:
            norms, delta = None, self._down(output_gradients, top)
            self._accumulate(top - 1, delta, decay)
        for i in range(top - 2, -1, -1):
            delta = self._down(delta, i + 1)
            self._accumulate(i, delta, decay)
        return norms

    def _at_shared_layer(self, output_gradients: Tensor, decay: float) -> tuple[Tensor, Tensor]:
        """Return the norms at W, and Σ_i ∂L_i/∂Z, shape [N, B, K], from each task's own ∂L_i/∂Z and ∇_W L_i."""
        (runs, batch, _), tasks = output_gradients.shape, len(self.layout.outputs)
        heads, top = self._weights[-1], len(self._weights) - 1
        units, inputs = self._weights[top - 1].shape[1:]
        own = output_gradients.view(runs, batch, tasks, -1).transpose(1, 2).reshape(runs * tasks, batch, -1)
        each = torch.bmm(own, heads.view(runs * tasks, -1, units), out=self._by_output)
        each = each.view(runs, tasks, batch, units)
        each.mul_(self._inputs[top].sign().unsqueeze(1))
        below = self._inputs[top - 1].unsqueeze(1).expand(-1, tasks, -1, -1).reshape(runs * tasks, batch, inputs)
        by_weight = torch.bmm(self._by_output.mT, below, out=self._by_weight).view(runs, tasks, units, inputs)
        by_bias = each.sum(2)
        squares = torch.linalg.vector_norm(by_weight, dim=(2, 3)), torch.linalg.vector_norm(by_bias, dim=2)
        torch.add(by_weight.sum(1), self._weight_gradients[top - 1], alpha=decay, out=self._weight_gradients[top - 1])
        delta = each.sum(1)
        self._bias_gradients[top - 1].baddbmm_(self._ones, delta, beta=decay)
        return torch.hypot(*squares), delta

    def _down(self, delta: Tensor, layer: int) -> Tensor:
        """Return the gradient of the layer below, before its ReLU."""
        # The slope of the ReLU is told from what it put out.
        return torch.ops.aten.threshold_backward(torch.bmm(delta, self._weights[layer]), self._inputs[layer], 0)

    def _accumulate(self, layer: int, delta: Tensor, decay: float) -> None:
        self._weight_gradients[layer].baddbmm_(delta.mT, self._inputs[layer], beta=decay)
        self._bias_gradients[layer].baddbmm_(self._ones, delta, beta=decay)
