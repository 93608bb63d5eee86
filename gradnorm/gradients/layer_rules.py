"""The gradients of all tasks at one linear or convolutional layer at once, from the input that its node has saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from gradnorm.gradients import winograd
from gradnorm.gradients.autograd_graph import Cut, End, Node

# One gradient for each task along the first axis: of the layer's output, or of one of its parameters.
PerTaskGrads = Tensor
# The saved tensors that the rules below read.
_SAVED: Mapping[str, Sequence[str]] = {
    "AddmmBackward0": ("mat1",),
    "MmBackward0": ("self",),
    "ConvolutionBackward0": ("input", "weight"),
    "ReluBackward0": ("result",),
}
_CASTS = ("TBackward0", "ToCopyBackward0")


@dataclass(frozen=True)
class Layer:
    """A matrix product or a convolution below a cut that is the only use of each shared parameter.

    node: its autograd node.
    parameters: its parameters, by the number of the node's input.
    transposed: whether the parameter is transposed on its way to the node, by the number of the input.
    above: the nodes from the cut down to `node`; each has one input.
    """

    node: Node
    parameters: Mapping[int, Tensor]
    transposed: Mapping[int, bool]
    above: Sequence[Node]

    @staticmethod
    def find(cut: Cut, shared: Sequence[Tensor]) -> Layer | None:
        """Return the layer that `shared` are the parameters of, or None if they belong to no such layer.

        cut: where the heads meet.
        shared: the parameters of W.
        """
        wanted = {id(parameter) for parameter in shared}
        parameters: dict[int, Tensor] = {}
        transposed: dict[int, bool] = {}
        nodes: set[Node] = set()
        for node in cut.users:
            if hasattr(node, "variable") and id(node.variable) in wanted:
                end, transpositions = _consumer(cut.users, node)
                if end is None or end[1] in parameters:
                    return None
                nodes.add(end[0])
                parameters[end[1]] = node.variable
                transposed[end[1]] = transpositions % 2 == 1
        if len(nodes) != 1:
            return None
        (node,) = nodes
        above = _nodes_between(cut, node)
        rules = _RULES.get(node.name())
        if above is None or rules is None or any(p.is_complex() for p in parameters.values()):
            return None
        if any(map(_is_packed, (node, *above))) or not rules.applies(node, parameters):
            return None
        return Layer(node, parameters, transposed, above)

    @property
    def task_axis(self) -> int:
        """Where T goes in the shape of what `gradients` takes, for its memory to lie best.

        After the batch axis the tasks are one layer with T times the outputs. Where a view joins batch and positions
        on the way to a matrix product, that would take a copy.
        """
        return int(self.node.name() == "ConvolutionBackward0" or all(n.name() == "ReluBackward0" for n in self.above))

    def gradients(self, at_cut: PerTaskGrads) -> list[PerTaskGrads]:
        """Return the gradients of each parameter for T tasks, shape [T, *parameter.shape].

        It has to be called before the backward pass goes through the layer, which frees what its nodes have saved.

        at_cut: each task's gradient at the cut, shape [T, ...]; it is written over.
        """
        kind = at_cut.device.type
        # The rules work in the precision in which the layer was computed, whatever autocast is on by now.
        with torch.autocast(kind, enabled=False) if torch.is_autocast_enabled(kind) else nullcontext(), torch.no_grad():
            at_output = at_cut
            for node in self.above:
                at_output = _RULES_BETWEEN[node.name()](node, at_output)
            grads = _RULES[self.node.name()].gradients(self.node, at_output, self.parameters)
        turned = (g.transpose(1, 2) if self.transposed[i] else g for i, g in grads.items())
        return [g.to(self.parameters[i].dtype) for i, g in zip(grads, turned, strict=True)]


@dataclass(frozen=True)
class _Rules:
    """How a kind of node is differentiated for T tasks, and when that applies."""

    applies: Callable[[Node, Mapping[int, Tensor]], bool]
    gradients: Callable[[Node, PerTaskGrads, Mapping[int, Tensor]], dict[int, PerTaskGrads]]


def _consumer(users: Mapping[Node, Sequence[End]], leaf: Node) -> tuple[End | None, int]:
    """Return the operation that uses a parameter, after casts and transpositions, and how many transpositions.

    The operation is None if the parameter is used more than once, or not at all.
    """
    node, transpositions = leaf, 0
    while len(users[node]) == 1:
        user, position = users[node][0]
        if user.name() not in _CASTS:
            return (user, position), transpositions
        transpositions += user.name() == "TBackward0"
        node = user
    return None, transpositions


def _nodes_between(cut: Cut, last: Node) -> list[Node] | None:
    """Return the nodes from the cut down to `last`, without it; None if one of them has no rule."""
    chain: list[Node] = []
    node, output = cut.end
    while node is not last and output == 0 and node.name() in _RULES_BETWEEN:
        chain.append(node)
        ((node, output),) = [end for end in node.next_functions if end[0] is not None]
    return chain if node is last and output == 0 else None


def _is_packed(node: Node) -> bool:
    """Whether a hook brings what a node has saved, as in a checkpoint, where that can be asked for once in a pass."""
    saved = (getattr(node, f"_raw_saved_{name}") for name in _SAVED.get(node.name(), ()))
    return any(getattr(each, "unpack_hook", None) is not None for each in saved)


def _relu(node: Node, G: PerTaskGrads) -> PerTaskGrads:
    # In place, since allocating a buffer of this size takes longer than filling it.
    return torch.ops.aten.threshold_backward.grad_input(G, node._saved_result, 0, grad_input=G)


def _view(node: Node, G: PerTaskGrads) -> PerTaskGrads:
    return G.reshape(len(G), *node._saved_self_sym_sizes)


# Nodes with one input that lie between the layer and the cut.
_RULES_BETWEEN: Mapping[str, Callable[[Node, PerTaskGrads], PerTaskGrads]] = {
    "ReluBackward0": _relu,
    "ViewBackward0": _view,
    "UnsafeViewBackward0": _view,
}


def _is_affine(node: Node, parameters: Mapping[int, Tensor]) -> bool:
    """Whether the node is b + X·V with factors of 1, its parameters among V and b, and b as long as a row of X·V."""
    plain = node._saved_alpha == 1 and node._saved_beta == 1 and 1 not in parameters
    return plain and (0 not in parameters or tuple(parameters[0].shape) == tuple(node._saved_mat2_sym_sizes[1:]))


def _affine(node: Node, G: PerTaskGrads, parameters: Mapping[int, Tensor]) -> dict[int, PerTaskGrads]:
    grads: dict[int, Tensor] = {}
    if 2 in parameters:
        grads[2] = _product(node._saved_mat1, G)
    if 0 in parameters:
        grads[0] = G.sum(1)
    return grads


def _is_linear(node: Node, parameters: Mapping[int, Tensor]) -> bool:
    return 0 not in parameters


def _linear(node: Node, G: PerTaskGrads, parameters: Mapping[int, Tensor]) -> dict[int, PerTaskGrads]:
    return {1: _product(node._saved_self, G)}


def _product(X: Tensor, G: PerTaskGrads) -> PerTaskGrads:
    """Return Xᵀ G_i for each task: [N, I], [T, N, O] → [T, I, O]."""
    # Computed as (G_iᵀ X)ᵀ, so that the gradients of a transposed weight have the weight's memory layout.
    joined = G.transpose(0, 1)
    if joined.is_contiguous():
        return (joined.flatten(1).t() @ X).view(len(G), G.shape[2], X.shape[1]).transpose(1, 2)
    return torch.bmm(G.transpose(1, 2), X.expand(len(G), *X.shape)).transpose(1, 2)


def _is_convolution(node: Node, parameters: Mapping[int, Tensor]) -> bool:
    return not node._saved_transposed and 0 not in parameters


def _convolution(node: Node, G: PerTaskGrads, parameters: Mapping[int, Tensor]) -> dict[int, PerTaskGrads]:
    """Return the gradients for T tasks by one convolution with T times the output channels."""
    grads: dict[int, Tensor] = {}
    if 2 in parameters:
        grads[2] = G.flatten(3).sum((1, 3))
    if 1 not in parameters:
        return grads
    X, weight, groups = node._saved_input, node._saved_weight, node._saved_groups
    if len(G) > 1 and winograd.is_faster(weight, node._saved_stride, node._saved_dilation, groups):
        grads[1] = winograd.weight_gradients(X, G, tuple(node._saved_padding))
        return grads
    tasks, batch, channels, *space = G.shape
    each = channels // groups
    # The channels of each group have to be adjacent: [B, groups, T, channels of a group, …].
    joined = G.transpose(0, 1).unflatten(2, (groups, each)).transpose(1, 2).reshape(batch, tasks * channels, *space)
    shape = (tasks * channels, *weight.shape[1:])
    grad = torch.ops.aten.convolution_backward(
        joined,
        X,
        weight.new_empty(shape),
        None,
        node._saved_stride,
        node._saved_padding,
        node._saved_dilation,
        False,
        node._saved_output_padding,
        groups,
        [False, True, False],
    )[1]
    separated = grad.view(groups, tasks, each, *shape[1:]).transpose(0, 1)
    grads[1] = separated.reshape(tasks, channels, *shape[1:])
    return grads


_RULES: Mapping[str, _Rules] = {
    "AddmmBackward0": _Rules(_is_affine, _affine),
    "MmBackward0": _Rules(_is_linear, _linear),
    "ConvolutionBackward0": _Rules(_is_convolution, _convolution),
}
