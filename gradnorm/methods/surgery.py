"""Gradient surgery: the base class of methods that weigh the gradients of the shared parameters by their Gramian."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, final

from numpy.random import Generator

from gradnorm.common.extras import require
from gradnorm.common.randomness import stream
from gradnorm.common.shapes import Gramian, PerTask
from gradnorm.methods.base import (
    Decision,
    Heads,
    Kind,
    Method,
    Needs,
    Signal,
    State,
    fresh_state,
    heads_field,
)


class GramianMethod(Method):
    """Choose w(t) from J Jᵀ, where row i of J is the gradient of L_i of all shared parameters.

    Only the rows of tasks that are present and whose gradient is not zero count: nothing can harm or help the others,
    and their weight is 0. The weights apply to the shared parameters; unless `heads` says otherwise, each head gets the
    gradient of its own loss.
    """

    needs: ClassVar[Needs] = Needs.GRAMIAN
    # A weight may be zero (MGDA) or negative (IMTL-G).
    positive: ClassVar[bool] = False
    former: ClassVar[Mapping[str, Any]] = {"heads": "own"}

    heads: Heads = heads_field("own")

    @abstractmethod
    def weigh(self, gramian: Gramian, random: Generator) -> PerTask:
        """Return w, shape [n], for the n tasks that count.

        gramian: J Jᵀ, shape [n, n], in double precision on the CPU. Its diagonal is positive. The norms of the tasks
            may be far apart, so take `cosines` of it before anything is compared or solved.
        random: the random numbers of this step.
        """

    @final
    def start(self, ones: PerTask, kinds: Sequence[Kind]) -> State:
        """Return w_i = 1, which the first Gramian replaces; arguments as in `Method.start`.

        Raises MissingPackageError if a package that the method needs is not installed.
        """
        require(f"Method {self.name}", *self.packages)
        return fresh_state(ones)

    @final
    def decide(self, state: State, signal: Signal, relative_rates: PerTask) -> Decision:
        """Return the weights of this step's Gramian as the weights used; arguments as in `Method.decide`.

        Absent tasks keep their weights. Where a gradient is not finite, all tasks do.
        """
        assert signal.gramian is not None, "Gradient surgery needs the Gramian"
        present = ~signal.losses.isnan()
        if not bool(signal.gramian[present][:, present].isfinite().all()):
            return Decision(state.weights, {}, used=state.weights)
        counts = present & (signal.gramian.diagonal() > 0)
        used = state.weights.where(~present, 0.0)
        if bool(counts.any()):
            # In double precision, since Gramians of unequal tasks are badly conditioned.
            gramian = signal.gramian[counts][:, counts].double().cpu()
            assert isinstance(signal.seed, int), "Gradient surgery decides for one run at a time"
            used[counts] = self.weigh(gramian, stream(signal.seed, "surgery", signal.step)).to(used)
        return Decision(used, {}, used=used)


def cosines(gramian: Gramian) -> tuple[PerTask, Gramian]:
    """Return the norms of n gradients, and the Gramian of the gradients divided by their norms.

    The second has a unit diagonal however unequal the tasks are.

    gramian: J Jᵀ, shape [n, n], with a positive diagonal.

    >>> import torch
    >>> norms, C = cosines(torch.tensor([[4.0, 1.0], [1.0, 1.0]]))
    >>> norms.tolist(), C.tolist()
    ([2.0, 1.0], [[1.0, 0.5], [0.5, 1.0]])
    """
    norms = gramian.diagonal().sqrt()
    return norms, gramian / norms / norms[:, None]


def unit_gradients(cosines: Gramian) -> Gramian:
    """Return n gradients as rows of a matrix, shape [n, n], whose products are these cosines.

    cosines: positive semidefinite, shape [n, n]. What rounding has left below zero counts as zero.

    >>> import torch
    >>> U = unit_gradients(torch.tensor([[1.0, 0.5], [0.5, 1.0]]))
    >>> (U @ U.T).round(decimals=4).tolist()
    [[1.0, 0.5], [0.5, 1.0]]
    """
    import torch

    values, vectors = torch.linalg.eigh(cosines)
    return vectors * values.clamp(min=0).sqrt()
