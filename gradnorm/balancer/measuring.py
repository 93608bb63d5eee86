"""Which way the gradients of a step are measured: one backward pass where the graph allows it, else one a task."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from gradnorm.common.shapes import PerTask
from gradnorm.gradients import general
from gradnorm.gradients.autograd_graph import Head, heads_of, wrapped
from gradnorm.gradients.general import SeparatePasses, Shared
from gradnorm.gradients.jacobian import Jacobian
from gradnorm.gradients.one_pass import OnePass
from gradnorm.gradients.ranks import Ranks
from gradnorm.gradients.weighted import Via
from gradnorm.methods.signal import Needs, Signal, State

if TYPE_CHECKING:
    from gradnorm.methods.base import Method


@dataclass(frozen=True)
class Graph:
    """The graph of one step, and how to differentiate it; see the arguments of `Balancer.backward`.

    vector: the losses as one tensor, shape [T]; None where a task is absent.
    shared: the parameters of W.  scale: the loss scale, if there is one.  ranks: the other processes, if there are any.
    via: what runs the weighted backward pass, where that is not autograd itself.
    """

    losses: Sequence[Tensor | None]
    vector: Tensor | None
    shared: Sequence[Tensor]
    features: Tensor | None
    trunk: Shared | None
    names: Sequence[str]
    scale: Tensor | None
    ranks: Ranks | None
    via: Via | None = None


def measure(graph: Graph, method: Method, state: State, signal: Signal, *, norms: bool) -> general.Measurement:
    """Measure what a method needs and no more, in the cheapest way that the graph allows.

    state, signal: of this step; what is known before any gradient is measured.
    norms: whether norms are wanted.
    Raises ValueError for a method that needs more passes than FSDP or a static graph allow, and for gradient surgery
    without a trunk or with `via`.
    """
    g = graph
    if not norms and method.needs is not Needs.GRAMIAN:
        heads = _own(g, method)
        return SeparatePasses(
            g.losses, g.shared, g.names, g.scale, g.ranks, wants_norms=False, heads=heads, vector=g.vector, via=g.via
        )
    ahead = _weights_ahead(method, state, signal)
    # Several processes have to take the same way, and a task may be absent from the batch of some.
    if ahead is not None and method.positive and (g.features is not None or g.ranks is None):
        cut = OnePass.plan(g.losses, g.features, g.shared)
        if cut is not None:
            own = method.heads == "own" and _are_visible(cut.heads)
            return OnePass(
                g.losses, ahead, cut, g.shared, g.names, g.scale, g.ranks, own_heads=own, vector=g.vector, via=g.via
            )
    first, only = wrapped(g.losses)
    if (first and ahead is None) or only:
        raise ValueError(_only_one_pass(method.title, ahead is not None))
    if method.needs is not Needs.GRAMIAN:
        before = ahead if first else None
        return SeparatePasses(
            g.losses, g.shared, g.names, g.scale, g.ranks, heads=_own(g, method), first=before, via=g.via
        )
    if g.via is not None:
        raise ValueError(
            f"via should be left out for {method.title}, which adds the gradients of its own passes. Found {g.via!r}. "
            "Leave it out; where there is a loss scale, pass scaler=."
        )
    if g.trunk is None:
        raise ValueError(
            f"trunk should hold all parameters that tasks share, for {method.title}. Found none. "
            "Pass trunk=model.trunk.parameters(), with those of the last shared layer."
        )
    if any(not tensor.is_leaf for tensor in g.shared):
        raise ValueError(
            f"shared should be given for {method.title}, whose norms are those of parameters. Found input. "
            "Pass the last shared layer."
        )
    all_shared = general.parameters_of(g.trunk, "trunk", "Pass all parameters that tasks share")
    own = method.heads == "own"
    return Jacobian(g.losses, all_shared, g.shared, g.names, g.scale, g.ranks, own_heads=own)


def _own(graph: Graph, method: Method) -> Sequence[Head | None] | None:
    """Return the part of each task that gets the gradient of its own loss; None where all is weighted."""
    if method.heads == "weighted" or len(graph.losses) == 1:
        return None
    heads = heads_of(graph.losses, graph.features)
    if heads is not None and _is_unclear(heads, graph):
        heads = heads_of(graph.losses, graph.features, graph.shared)
    if heads is None:
        _warn_of_weighted_heads("losses of separate operations", "some that one operation has made", "Pass such losses")
        return None
    return heads if _are_visible(heads) else None


def _is_unclear(heads: Sequence[Head | None], graph: Graph) -> bool:
    """Return whether a part of the trunk may have been taken for a head, as no other task uses it at this step."""
    if graph.features is None and any(loss is None for loss in graph.losses):
        return True
    leaves = [leaf for head in heads if head is not None for leaf in head.leaves]
    return any(leaf is parameter for leaf in leaves for parameter in graph.shared)


def _are_visible(heads: Sequence[Head | None]) -> bool:
    """Return whether heads can be told from the trunk; warn where they can't."""
    hidden = any(head is not None and head.is_compiled_away for head in heads)
    if hidden:
        _warn_of_weighted_heads(
            "heads apart from the trunk",
            "both in one program of torch.compile",
            "Compile the trunk and each head by themselves",
        )
    return not hidden


def _warn_of_weighted_heads(wanted: str, found: str, remedy: str) -> None:
    warnings.warn(
        f'heads="own" needs {wanted}. Found {found}, so the weights apply to the heads, too. '
        f'{remedy}, or choose heads="weighted".',
        stacklevel=2,
    )


def _weights_ahead(method: Method, state: State, signal: Signal) -> PerTask | None:
    """Return w(t), shape [T], if it does not depend on the gradients of step t; else None."""
    if method.needs is Needs.LOSSES:
        return method.balance(state, signal)[0].weights
    return state.weights if method.ahead else None


def _only_one_pass(title: str, can_be: bool) -> str:
    """Return what to say where only one backward pass is allowed. can_be: whether the method can be content with it."""
    remedy = (
        "Pass shared=, the module that fully_shard was called on, and features=, its output, for heads that meet there."
        if can_be
        else "Use DistributedDataParallel without static_graph."
    )
    return f"{title} takes several backward passes. Found FSDP or static_graph=True, which allow one. {remedy}"
