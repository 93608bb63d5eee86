"""The shape of an autograd graph: where the heads part from what they share, and what lies below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

# torch's own type of a node has neither names nor saved tensors.
Node = Any
# A node and which of its outputs (as the target of an edge) or inputs (as its source).
End = tuple[Node, int]
_SEVERAL = -1


@dataclass(frozen=True)
class Head:
    """One task's own nodes: those that lead into the cut, each with its inputs that do, and the leaves."""

    exits: Mapping[Node, Sequence[int]]
    leaves: Sequence[Tensor]


@dataclass(frozen=True)
class Cut:
    """The one edge that all heads pass on the way down.

    end: the node below the edge, with the number of its output.
    heads: one a task; None where it is absent.
    users: for each node below the cut, the nodes above it that lead to it, each with the number of the input.
    """

    end: End
    heads: Sequence[Head | None]
    users: Mapping[Node, Sequence[End]]

    @staticmethod
    def find(losses: Sequence[Tensor | None], features: Tensor) -> Cut | None:
        """Return the highest cut at or above `features`, or None where the graph has none.

        features: any tensor on the way from what is shared to the heads. Where the heads have nodes in common
        above it (a shared layer whose input it is, a ReLU), the cut lies on top of those.
        """
        root = features.grad_fn
        owners = _owners(losses, root)
        if owners is None:
            return None
        ends: set[End] = set()
        exits: list[dict[Node, list[int]]] = [{} for _ in losses]
        leaves: list[list[Tensor]] = [[] for _ in losses]
        for node, owner in owners.items():
            if owner == _SEVERAL:
                continue
            if hasattr(node, "variable"):
                leaves[owner].append(node.variable)
            for position, end in enumerate(node.next_functions):
                if end[0] is not None and (end[0] is root or owners.get(end[0]) == _SEVERAL):
                    ends.add(end)
                    exits[owner].setdefault(node, []).append(position)
        if len(ends) != 1 or any(loss is not None and not out for loss, out in zip(losses, exits, strict=True)):
            return None
        (end,) = ends
        users = _users(end[0])
        # A head that goes on below the cut by another way would find the trunk's buffers freed.
        if any(owner != _SEVERAL and node in users for node, owner in owners.items()):
            return None
        heads = [None if loss is None else Head(out, own) for loss, out, own in zip(losses, exits, leaves, strict=True)]
        return Cut(end, heads, users)


def _owners(losses: Sequence[Tensor | None], stop: Node | None) -> dict[Node, int] | None:
    """Return for each node above `stop` which head leads to it; None if a loss has no node of its own."""
    owners: dict[Node, int] = {}
    roots = [(task, loss.grad_fn) for task, loss in enumerate(losses) if loss is not None]
    for task, root in roots:
        if root is None or root is stop or root in owners:
            return None
        stack: list[tuple[Node, int]] = [(root, task)]
        while stack:
            node, owner = stack.pop()
            known = owners.get(node)
            if known in (owner, _SEVERAL):
                continue
            # What several heads lead to, all below it is common to them, too.
            owners[node] = found = owner if known is None else _SEVERAL
            stack.extend((below, found) for below, _ in node.next_functions if below is not None and below is not stop)
    return None if any(owners[root] == _SEVERAL for _, root in roots) else owners


def _users(top: Node) -> dict[Node, list[End]]:
    """Return each node at or below `top` with the edges that lead to it from there."""
    users: dict[Node, list[End]] = {top: []}
    stack = [top]
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
    """Return the leaves that a node leads to."""
    return [node.variable for node in _users(root) if hasattr(node, "variable")]
