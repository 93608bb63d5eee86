"""All tasks' gradients of one linear or convolutional layer at once, from what its autograd node has saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gradnorm.gradients import winograd
from gradnorm.gradients.autograd_graph import Cut, End, Node

# One gradient a task, the tasks first: of the layer's output, or of one of its parameters.
PerTaskGrads = Tensor
_CASTS = ("TBackward0", "ToCopyBackward0")


@dataclass(frozen=True)
class Layer:
    """A node that is the only use of each shared parameter, below a cut.

    node: of a matrix product or a convolution.
    parameters: by number of the node's input, the parameter that it comes from.
    transposed: whether the parameter comes to the node transposed, likewise.
    above: the nodes from the cut down to `node`, each with one input only.
    """

    node: Node
    parameters: Mapping[int, Tensor]
    transposed: Mapping[int, bool]
    above: Sequence[Node]

    @staticmethod
    def find(cut: Cut, shared: Sequence[Tensor]) -> Layer | None:
        """Return the layer whose parameters `shared` are, or None if they are not those of one such layer."""
        wanted = {id(parameter) for parameter in shared}
        found: dict[int, Tensor] = {}
        transposed: dict[int, bool] = {}
        nodes: set[Node] = set()
        for node in cut.users:
            if hasattr(node, "variable") and id(node.variable) in wanted:
                end, turns = _use(cut.users, node)
                if end is None or end[1] in found:
                    return None
                nodes.add(end[0])
                found[end[1]] = node.variable
                transposed[end[1]] = turns % 2 == 1
        if len(nodes) != 1:
            return None
        (node,) = nodes
        # torch lets reentrant checkpoints be gone through as a whole only, not towards chosen leaves.
        if any(other.name() == "CheckpointFunctionBackward" for other in cut.users):
            return None
        above = _chain(cut, node)
        rules = _RULES.get(node.name())
        if above is None or rules is None or not rules.applies(node, found):
            return None
        return Layer(node, found, transposed, above)

    @torch.no_grad()
    def at_output(self, at_cut: Sequence[Tensor]) -> PerTaskGrads:
        """Return the tasks' gradients of the layer's output from those at the cut, shape [T, *output.shape]."""
        # For a convolution side by side within the batch, as one with T times the channels would have them.
        beside = self.node.name() == "ConvolutionBackward0"
        grads = torch.stack(tuple(at_cut), 1).transpose(0, 1) if beside else torch.stack(tuple(at_cut))
        for node in self.above:
            grads = _ABOVE[node.name()](node, grads)
        return grads

    @torch.no_grad()
    def gradients(self, at_output: PerTaskGrads) -> list[tuple[Tensor, PerTaskGrads]]:
        """Return each parameter with its gradients for T tasks, shape [T, *parameter.shape]."""
        grads = _RULES[self.node.name()].gradients(self.node, at_output, self.parameters)
        turned = (g.transpose(1, 2) if self.transposed[i] else g for i, g in grads.items())
        return [(self.parameters[i], g.to(self.parameters[i].dtype)) for i, g in zip(grads, turned, strict=True)]


@dataclass(frozen=True)
class _Rules:
    applies: Callable[[Node, Mapping[int, Tensor]], bool]
    gradients: Callable[[Node, PerTaskGrads, Mapping[int, Tensor]], dict[int, PerTaskGrads]]


def _use(users: Mapping[Node, Sequence[End]], leaf: Node) -> tuple[End | None, int]:
    """Return where a parameter goes into an operation, past casts and transpositions, and how many of the latter."""
    node, turns = leaf, 0
    while len(users[node]) == 1:
        user, position = users[node][0]
        if user.name() not in _CASTS:
            return (user, position), turns
        turns += user.name() == "TBackward0"
        node = user
    return None, turns


def _chain(cut: Cut, last: Node) -> list[Node] | None:
    """Return the nodes from the cut down to `last`, which is left out; None if there are others, or forks."""
    chain: list[Node] = []
    node, output = cut.end
    while node is not last and output == 0 and node.name() in _ABOVE:
        chain.append(node)
        ((node, output),) = [end for end in node.next_functions if end[0] is not None]
    return chain if node is last and output == 0 else None


def _relu(node: Node, G: PerTaskGrads) -> PerTaskGrads:
    # In place: a fresh buffer of this size costs more than filling it.
    return torch.ops.aten.threshold_backward.grad_input(G, node._saved_result, 0, grad_input=G)


def _view(node: Node, G: PerTaskGrads) -> PerTaskGrads:
    return G.reshape(len(G), *node._saved_self_sym_sizes)


_ABOVE: Mapping[str, Callable[[Node, PerTaskGrads], PerTaskGrads]] = {
    "ReluBackward0": _relu,
    "ViewBackward0": _view,
    "UnsafeViewBackward0": _view,
}


def _is_affine(node: Node, parameters: Mapping[int, Tensor]) -> bool:
    """Whether b + X·V is one, with V or b among the parameters, and b a row."""
    plain = node._saved_alpha == 1 and node._saved_beta == 1
    return plain and 1 not in parameters and (0 not in parameters or parameters[0].dim() == 1)


def _affine(node: Node, G: PerTaskGrads, parameters: Mapping[int, Tensor]) -> dict[int, PerTaskGrads]:
    found: dict[int, Tensor] = {}
    if 2 in parameters:
        found[2] = _product(node._saved_mat1, G)
    if 0 in parameters:
        found[0] = G.sum(1)
    return found


def _is_linear(node: Node, parameters: Mapping[int, Tensor]) -> bool:
    return 0 not in parameters


def _linear(node: Node, G: PerTaskGrads, parameters: Mapping[int, Tensor]) -> dict[int, PerTaskGrads]:
    return {1: _product(node._saved_self, G)}


def _product(X: Tensor, G: PerTaskGrads) -> PerTaskGrads:
    """Return Xᵀ G_i for each task: [N, I], [T, N, O] → [T, I, O]."""
    # As (G_iᵀ X)ᵀ, so that a transposed weight's gradients lie in memory as the weight does.
    return torch.bmm(G.transpose(1, 2), X.expand(len(G), *X.shape)).transpose(1, 2)


def _is_convolution(node: Node, parameters: Mapping[int, Tensor]) -> bool:
    return not node._saved_transposed and 0 not in parameters


def _convolution(node: Node, G: PerTaskGrads, parameters: Mapping[int, Tensor]) -> dict[int, PerTaskGrads]:
    """Return the gradients of one convolution with T times the output channels."""
    found: dict[int, Tensor] = {}
    if 2 in parameters:
        found[2] = G.flatten(3).sum((1, 3))
    if 1 not in parameters:
        return found
    X, weight, groups = node._saved_input, node._saved_weight, node._saved_groups
    if len(G) > 1 and winograd.serves(weight, node._saved_stride, node._saved_dilation, groups):
        found[1] = winograd.weight_gradients(X, G, tuple(node._saved_padding))
        return found
    tasks, batch, channels, *space = G.shape
    each = channels // groups
    # The channels of a group lie together: [B, groups, T, channels of a group, …].
    wide = G.transpose(0, 1).unflatten(2, (groups, each)).transpose(1, 2).reshape(batch, tasks * channels, *space)
    shape = (tasks * channels, *weight.shape[1:])
    grad = torch.ops.aten.convolution_backward(
        wide,
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
    apart = grad.view(groups, tasks, each, *shape[1:]).transpose(0, 1)
    found[1] = apart.reshape(tasks, channels, *shape[1:])
    return found


_RULES: Mapping[str, _Rules] = {
    "AddmmBackward0": _Rules(_is_affine, _affine),
    "MmBackward0": _Rules(_is_linear, _linear),
    "ConvolutionBackward0": _Rules(_is_convolution, _convolution),
}
