"""Each task's gradient of all shared parameters, which gradient surgery needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from gradnorm.gradients.autograd_graph import leaves_of
from gradnorm.gradients.general import total_norm

Parts = tuple[Tensor | None, ...]


class Jacobian:
    """Measure J, whose row i is ∇L_i over all shared parameters, by one backward pass for each task.

    norms: ‖∇_W L_i‖₂, shape [T], and gramian: J Jᵀ, shape [T, T], NaN for absent tasks.

    losses: T scalars that require a gradient; None for an absent task.
    trunk: all parameters that the tasks share, those of W included.
    shared: the parameters of W, where the norms are measured.
    names: the T task names, for the messages.
    scale: a loss scale > 0 to differentiate under. Norms and Gramian are those of the unscaled gradients.
    Raises SharedLayerError if a loss depends on no parameter of W.
    """

    def __init__(
        self,
        losses: Sequence[Tensor | None],
        trunk: Sequence[Tensor],
        shared: Sequence[Tensor],
        names: Sequence[str],
        scale: Tensor | None = None,
    ) -> None:
        self._trunk = list(trunk)
        self._rows: list[Parts | None] = []
        self._heads: list[tuple[Tensor, Tensor]] = []
        ids = {id(parameter) for parameter in trunk}
        at_shared = [i for i, parameter in enumerate(trunk) if any(parameter is p for p in shared)]
        last = max(i for i, loss in enumerate(losses) if loss is not None)
        norms: list[Tensor] = []
        for i, (loss, name) in enumerate(zip(losses, names, strict=True)):
            if loss is None:
                self._rows.append(None)
                norms.append(torch.full((), float("nan")))
                continue
            own = [leaf for leaf in leaves_of(loss.grad_fn) if id(leaf) not in ids]
            inputs = [*self._trunk, *own]
            # The type stub promises a gradient for every input; an unused one has None.
            grads = cast(Parts, torch.autograd.grad(loss, inputs, scale, retain_graph=i < last, allow_unused=True))
            row: Parts = grads[: len(trunk)]
            self._rows.append(row)
            self._heads += [(leaf, g) for leaf, g in zip(own, grads[len(trunk) :], strict=True) if g is not None]
            norms.append(total_norm([row[k] for k in at_shared], name))
        divisor = 1.0 if scale is None else scale
        self.norms = torch.stack([norm.to(losses[last]) for norm in norms]) / divisor
        self.gramian = self._gramian(losses) / divisor / divisor

    def _gramian(self, losses: Sequence[Tensor | None]) -> Tensor:
        present = [row for row in self._rows if row is not None]
        sums = torch.zeros(len(present), len(present), dtype=self.norms.dtype, device=self.norms.device)
        for k, parameter in enumerate(self._trunk):
            zero = torch.zeros_like(parameter)
            J = torch.stack([zero if (g := row[k]) is None else g for row in present]).flatten(1).to(sums)
            sums += J @ J.T
        gramian = sums.new_full((len(losses), len(losses)), float("nan"))
        where = torch.tensor([i for i, loss in enumerate(losses) if loss is not None], device=sums.device)
        gramian[where[:, None], where] = sums
        return gramian

    def backward(self, weights: Tensor) -> None:
        """Add Σ_i w_i ∇L_i to `.grad` of the shared parameters, and to each head's the gradient of its own loss.

        The parameters' own hooks run once, as in any backward pass.

        weights: w, shape [T], detached.
        """
        leaves: list[Tensor] = []
        grads: list[Tensor] = []
        for k, parameter in enumerate(self._trunk):
            parts = [
                grad * weights[i].to(grad)
                for i, row in enumerate(self._rows)
                if row is not None and (grad := row[k]) is not None
            ]
            if parts:
                leaves.append(parameter)
                grads.append(torch.stack(parts).sum(0))
        for leaf, grad in self._heads:
            leaves.append(leaf)
            grads.append(grad)
        torch.autograd.backward(leaves, grads)
