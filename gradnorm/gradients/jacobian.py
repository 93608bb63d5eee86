"""Each task's gradient of all shared parameters, which gradient surgery needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from gradnorm.common.shapes import Gramian, PerTask
from gradnorm.gradients.autograd_graph import leaves_of
from gradnorm.gradients.general import missing_path, norms_of
from gradnorm.gradients.ranks import Parts, Ranks, flattened, single_or_wider


class Jacobian:
    """Measure J, whose row i is ∇L_i over all shared parameters, by one backward pass for each task.

    norms: ‖∇_W L_i‖₂, shape [T], and gramian: J Jᵀ, shape [T, T], in double precision; NaN for absent tasks.

    losses: T scalars that require a gradient; None for an absent task.
    trunk: all parameters that the tasks share, those of W included.
    shared: the parameters of W, where the norms are measured.
    names: the T task names, for the messages.
    scale: a loss scale > 0 to differentiate under. Norms and Gramian are those of the unscaled gradients.
    own_heads: whether each head gets the gradient of its own loss, whatever its weight.
    ranks: the processes to average J over, if this one is not alone. A task that is absent from this process alone
        is not NaN then.
    Raises SharedLayerError if a loss depends on no parameter of W.
    """

    def __init__(
        self,
        losses: Sequence[Tensor | None],
        trunk: Sequence[Tensor],
        shared: Sequence[Tensor],
        names: Sequence[str],
        scale: Tensor | None = None,
        ranks: Ranks | None = None,
        *,
        own_heads: bool = True,
    ) -> None:
        self._trunk = list(trunk)
        self._rows: list[Parts | None] = []
        self._heads: list[tuple[int, Tensor, Tensor]] = []
        self._own_heads = own_heads
        ids = {id(parameter) for parameter in trunk}
        last = max(i for i, loss in enumerate(losses) if loss is not None)
        for i, loss in enumerate(losses):
            if loss is None:
                self._rows.append(None)
                continue
            own = [leaf for leaf in leaves_of(loss.grad_fn) if id(leaf) not in ids]
            inputs = [*self._trunk, *own]
            # The type stub promises a gradient for every input; an unused one has None.
            grads = cast(Parts, torch.autograd.grad(loss, inputs, scale, retain_graph=i < last, allow_unused=True))
            self._rows.append(grads[: len(trunk)])
            self._heads += [(i, leaf, g) for leaf, g in zip(own, grads[len(trunk) :], strict=True) if g is not None]
        like = cast(Tensor, losses[last])
        divisor = 1.0 if scale is None else scale
        at_shared = [k for k, parameter in enumerate(trunk) if any(parameter is p for p in shared)]
        if not at_shared:
            raise missing_path(names[last], len(shared))
        parts = [None if row is None else tuple(row[k] for k in at_shared) for row in self._rows]
        self.norms: PerTask = norms_of(parts, [trunk[k] for k in at_shared], names, like, ranks) / divisor
        rows = self._rows if ranks is None else ranks.mean_gradients(self._rows, trunk)
        self.gramian: Gramian = _gramian(rows, like.device) / divisor / divisor

    def backward(self, weights: Tensor) -> None:
        """Add Σ_i w_i ∇L_i to `.grad` of the shared parameters, and ∇L_i, or w_i times it, to the heads'.

        The parameters' own hooks run once, as in any backward pass.

        weights: w, shape [T], detached.
        """
        leaves: list[Tensor] = []
        grads: list[Tensor] = []
        for k, parameter in enumerate(self._trunk):
            # In single precision or wider: a small gradient may have a weight that half precision cannot hold.
            parts = [
                single_or_wider(grad) * weights[i].to(single_or_wider(grad))
                for i, row in enumerate(self._rows)
                if row is not None and (grad := row[k]) is not None
            ]
            if parts:
                leaves.append(parameter)
                grads.append(_sum(parts).to(parameter))
        for i, leaf, grad in self._heads:
            leaves.append(leaf)
            grads.append(grad if self._own_heads else grad * weights[i].to(grad))
        torch.autograd.backward(leaves, grads)


def _gramian(rows: Sequence[Parts | None], device: torch.device) -> Gramian:
    """Return J Jᵀ in double precision, shape [T, T], NaN for a row that is None.

    Each row is divided by its largest entry before the products, so that these neither underflow nor overflow.
    """
    present = [i for i, row in enumerate(rows) if row is not None]
    largest = torch.stack([_largest(row).to(device) for row in rows if row is not None])
    products = torch.zeros(len(present), len(present), dtype=torch.float64, device=device)
    for column in zip(*(row for row in rows if row is not None), strict=True):
        flat = [None if grad is None else flattened(grad) for grad in column]
        like = next((row for row in flat if row is not None), None)
        if like is not None:
            entries = torch.stack([torch.zeros_like(like) if row is None else row for row in flat]).to(device)
            J = entries / largest[:, None].to(entries)
            products += J @ J.T
    gramian = products.new_full((len(rows), len(rows)), float("nan"))
    where = torch.tensor(present, device=device)
    gramian[where[:, None], where] = products * largest * largest[:, None]
    return gramian


def _largest(row: Parts) -> Tensor:
    """Return the largest absolute value of a row in double precision, and 1 for a row of zeros."""
    entries = [flattened(grad).abs().max().double() for grad in row if grad is not None and grad.numel()]
    largest = torch.stack([entry.to(entries[0].device) for entry in entries]).max() if entries else torch.ones(())
    return largest.where(largest != 0, 1).double()


def _sum(parts: Sequence[Tensor]) -> Tensor:
    """Return the sum of gradients, of which some may be sparse."""
    # torch adds a sparse tensor to a dense one, but not the other way round.
    total, *rest = sorted(parts, key=lambda part: part.is_sparse)
    for part in rest:
        total = total + part
    return total
