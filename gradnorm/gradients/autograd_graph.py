"""The structure of an autograd graph: where the heads branch off from the part that they share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, distributed

# The type stub of torch's nodes declares neither their names nor their saved tensors.
Node = Any
# One end of an edge: a node with the number of its output (where the edge arrives) or input (where it starts).
End = tuple[Node, int]
# Stands for a task's index where a node belongs to several tasks.
_SEVERAL = -1
# Stands between the outputs of DistributedDataParallel and the network.
_SINK = "_DDPSinkBackward"
# What may hand each gradient on to a place of its own.
_HAND_ON = frozenset({"UnbindBackward0", _SINK})
# Stands for all that torch.compile has made one program of.
_COMPILED = "CompiledFunctionBackward"
# Stands below each module whose parameters FSDP shards.
_SHARDED = "RegisterPostBackwardFunctionBackward"


@dataclass(frozen=True)
class Head:
    """The part of the graph that belongs to one task alone.

    exits: its nodes that are connected to the cut, each with the numbers of its inputs that are.
    leaves: its parameters, and other tensors that require a gradient.
    """

    exits: dict[Node, list[int]]
    leaves: list[Tensor]

    @property
    def is_compiled_away(self) -> bool:
        """Whether torch.compile may have hidden this head in one program with what is shared."""
        below = (_origin(node.next_functions[k])[0] for node, inputs in self.exits.items() for k in inputs)
        return not self.leaves and any(_name(node) == _COMPILED for node in below)


@dataclass(frozen=True)
class Cut:
    """The tensor C in which all heads meet: everything that they share lies below it, nearer to the leaves.

    end: the node that makes C, with the number of its output.
    heads: one for each task; None for an absent task.
    users: for each node at or below `end`, the nodes there that use its output, each with the number of the input.
    """

    end: End
    heads: Sequence[Head | None]
    users: Mapping[Node, Sequence[End]]

    @staticmethod
    def find(losses: Sequence[Tensor | None], features: Tensor | None = None) -> Cut | None:
        """Return the highest cut, or None if the heads do not meet in one tensor.

        losses: T scalars that require a gradient; None for an absent task.
        features: any tensor between the shared part and the heads, at or above which the cut lies. None where that is
            not known: the graph tells where heads meet, unless one task alone is present.
        """
        parts = _Parts.of(losses, features)
        if parts is None:
            return None
        heads, ends = parts.heads(losses)
        # A head that reaches around the cut is connected to what is shared in a second place.
        if len(ends) != 1 or any(head is not None and not head.exits for head in heads):
            return None
        (end,) = ends
        return Cut(end, heads, parts.shared)


def heads_of(
    losses: Sequence[Tensor | None], features: Tensor | None, shared: Sequence[Tensor] = ()
) -> Sequence[Head | None] | None:
    """Return the part of each task that no other task shares; None where the losses have been made by one operation.

    losses: T scalars that require a gradient; None for an absent task.
    features: a tensor between the shared part and the heads, below which all is shared; None where that is not known.
    shared: W. If given, what its layer is computed from is shared, however few tasks are present.
    """
    parts = _Parts.of(losses, features, shared)
    return None if parts is None else parts.heads(losses)[0]


def _layers(losses: Sequence[Tensor | None], shared: Sequence[Tensor]) -> set[Node]:
    """Return the nodes in which W meets the data: the matrix products, convolutions and so on of W.

    W may reach them through nodes of its own, such as a transposition or a normalisation. A node that a loss ends in
    belongs to its head; what it uses then takes its place.
    """
    roots = {_origin((loss.grad_fn, loss.output_nr))[0] for loss in losses if loss is not None}
    numbers = {id(parameter) for parameter in shared}
    # Whether a node is computed from W and nothing else. Data are missing from the graph.
    of_W: dict[Node, bool] = {None: False}
    stack: list[Node] = list(roots)
    while stack:
        node = stack[-1]
        below = [end[0] for end in node.next_functions]
        if node not in of_W and (unknown := [other for other in below if other not in of_W]):
            stack += unknown
        elif hasattr(node, "variable"):
            of_W[stack.pop()] = id(node.variable) in numbers
        else:
            of_W[stack.pop()] = bool(below) and all(of_W[other] for other in below)
    layers: set[Node] = set()
    del of_W[None]
    for node, own in of_W.items():
        uses = {end[0] for end in node.next_functions if end[0] is not None}
        if any(of_W[other] for other in uses):
            layers |= uses if node in roots else set() if own else {node}
    return layers


@dataclass(frozen=True)
class _Parts:
    """What the graph of one step consists of.

    owners: the task by which each node was found; the node is its own, unless it is shared.
    edges: for each of these nodes, where its inputs come from, past nodes that hand gradients on.
    shared: the nodes that several tasks use, as `Cut.users`.
    """

    owners: Mapping[Node, int]
    edges: Mapping[Node, Sequence[End]]
    shared: Mapping[Node, Sequence[End]]

    @staticmethod
    def of(losses: Sequence[Tensor | None], features: Tensor | None, W: Sequence[Tensor] = ()) -> _Parts | None:
        """Return the parts, or None if a loss has no node of its own; arguments as in `heads_of`."""
        owners: dict[Node, int] = {}
        edges: dict[Node, Sequence[End]] = {}
        meetings = _layers(losses, W) if W else set[Node]()
        if features is not None and features.grad_fn is not None:
            owners[_origin((features.grad_fn, features.output_nr))[0]] = _SEVERAL
        roots: list[Node] = []
        for task, loss in enumerate(losses):
            if loss is None:
                continue
            root, _ = _origin((loss.grad_fn, loss.output_nr))
            if root is None or root in owners:
                return None
            roots.append(root)
            owners[root] = task
            stack = [root]
            while stack:
                node = stack.pop()
                # A node that is known hands nothing on, so that most edges need no look at a name.
                edges[node] = ends = [end if end[0] in owners else _origin(end) for end in node.next_functions]
                for below, _ in ends:
                    owner = task if below is None else owners.get(below)
                    if owner is None:
                        owners[below] = task
                        stack.append(below)
                    elif owner != task:
                        meetings.add(below)
        # What lies below a node that several heads use is common to them, too.
        shared = _users(meetings)
        return None if any(root in shared for root in roots) else _Parts(owners, edges, shared)

    def heads(self, losses: Sequence[Tensor | None]) -> tuple[Sequence[Head | None], set[End]]:
        """Return each task's own part, and the ends of what is shared that these parts are connected to."""
        ends: set[End] = set()
        heads = [None if loss is None else Head({}, []) for loss in losses]
        for node, edges in self.edges.items():
            if node in self.shared:
                continue
            head = heads[self.owners[node]]
            assert head is not None
            if not edges and hasattr(node, "variable"):
                head.leaves.append(node.variable)
            for position, end in enumerate(edges):
                if end[0] in self.shared:
                    ends.add(end)
                    head.exits.setdefault(node, []).append(position)
        return heads, ends


def _origin(end: End) -> End:
    """Return where the gradient of `end` goes, past nodes that hand each gradient on to a place of its own.

    Such are the two nodes of losses that were stacked and come apart again, and the sink through which
    DistributedDataParallel sends all outputs. Tasks share these nodes, but nothing that would mix their gradients.
    """
    node, number = end
    while (kind := _name(node)) in _HAND_ON:
        if kind == _SINK:
            node, number = node.next_functions[number]
        elif _name(node.next_functions[0][0]) == "StackBackward0":
            node, number = node.next_functions[0][0].next_functions[number]
        else:
            break
    return node, number


def _name(node: Node | None) -> str:
    # The nodes asked for have a class each; `node.name()` would make a string at each call.
    return type(node).__name__


def wrapped(losses: Sequence[Tensor | None]) -> tuple[bool, bool]:
    """Return whether the weighted backward pass has to be the first, and whether it has to be the only one.

    It has to be the first at the first step of DistributedDataParallel with static_graph=True, which averages `.grad`
    over the processes at the end of the first pass through its outputs, whatever pass that is. It has to be the only
    one with FSDP, which frees parameters behind a pass.

    losses: T scalars that require a gradient; None for an absent task.
    """
    if not distributed.is_available() or not distributed.is_initialized():
        return False, False
    seen: set[Node] = set()
    stack: list[Node | None] = [loss.grad_fn for loss in losses if loss is not None]
    while stack:
        node = stack.pop()
        if node is not None and node not in seen:
            seen.add(node)
            stack.extend(below for below, _ in node.next_functions)
    first = any(_name(node) == _SINK and node.ddp_weakref().static_graph for node in seen)
    return first, any(_name(node) == _SHARDED for node in seen)


def _users(tops: Iterable[Node]) -> dict[Node, list[End]]:
    """Return each node at or below `tops` with the nodes there that use it, and the numbers of their inputs."""
    users: dict[Node, list[End]] = {top: [] for top in tops}
    stack = list(users)
    while stack:
        node = stack.pop()
        for position, (below, _) in enumerate(node.next_functions):
            if below is None:
                continue
            if below in users:
                users[below].append((node, position))
            else:
                users[below] = [(node, position)]
                stack.append(below)
    return users


def leaves_of(root: Node) -> list[Tensor]:
    """Return the parameters, and other leaves that require a gradient, that a node was computed from.

    root: a node, such as `loss.grad_fn`.

    >>> import torch
    >>> layer = torch.nn.Linear(3, 1)
    >>> [tuple(leaf.shape) for leaf in leaves_of(layer(torch.ones(2, 3)).sum().grad_fn)]
    [(1,), (1, 3)]
    """
    return [node.variable for node in _users([root]) if hasattr(node, "variable")]
