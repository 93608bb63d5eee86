"""Gradient surgery: the base class of methods that weigh the gradients of the shared parameters by their Gramian."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, final

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

if TYPE_CHECKING:
    from torch import Tensor

# Matrices of shape [n, n], by name.
Pairs: TypeAlias = Mapping[str, Gramian]


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

    # What the method remembers of each pair of tasks, by name: matrices of shape [T, T], 0 before the first step.
    remembers: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def weigh(self, gramian: Gramian, random: Generator) -> PerTask:
        """Return w, shape [n], for the n tasks that count.

        gramian: J Jᵀ, shape [n, n], in double precision on the CPU. Its diagonal is positive. The norms of the tasks
            may be far apart, so take `cosines` of it before anything is compared or solved.
        random: the random numbers of this step.
        """

    def recall(self, gramian: Gramian, pairs: Pairs, random: Generator) -> tuple[PerTask, Pairs]:
        """Return w, shape [n], and what is remembered from now on; see `RememberingMethod`."""
        return self.weigh(gramian, random), {}

    @final
    def start(self, ones: PerTask, kinds: Sequence[Kind]) -> State:
        """Return w_i = 1, which the first Gramian replaces; arguments as in `Method.start`.

        Raises MissingPackageError if a package that the method needs is not installed.
        """
        require(f"Method {self.name}", *self.packages)
        return fresh_state(ones, {key: ones * 0 for name in self.remembers for key in _rows(name, len(ones))})

    @final
    def decide(self, state: State, signal: Signal, relative_rates: PerTask) -> Decision:
        """Return the weights of this step's Gramian as the weights used; arguments as in `Method.decide`.

        Absent tasks keep their weights. Where a gradient is not finite, all tasks do.
        """
        assert signal.gramian is not None, "Gradient surgery needs the Gramian"
        present = ~signal.losses.isnan()
        if not bool(signal.gramian[present][:, present].isfinite().all()):
            return Decision(state.weights, state.memory, used=state.weights)
        counts = present & (signal.gramian.diagonal() > 0)
        used, memory = state.weights.where(~present, 0.0), dict(state.memory)
        if bool(counts.any()):
            # In double precision, since Gramians of unequal tasks are badly conditioned.
            gramian = signal.gramian[counts][:, counts].double().cpu()
            assert isinstance(signal.seed, int), "Gradient surgery decides for one run at a time"
            pairs = {name: _part(memory, name, counts) for name in self.remembers}
            weights, pairs = self.recall(gramian, pairs, stream(signal.seed, "surgery", signal.step))
            used[counts] = weights.to(used)
            for name, part in pairs.items():
                memory |= _replaced(memory, name, counts, part)
        return Decision(used, memory, used=used)


class RememberingMethod(GramianMethod):
    """Choose w(t) from J Jᵀ and from what is remembered of each pair of tasks, in matrices named by `remembers`."""

    @abstractmethod
    def recall(self, gramian: Gramian, pairs: Pairs, random: Generator) -> tuple[PerTask, Pairs]:
        """Return w, shape [n], and the new matrices of the n tasks that count. `pairs` must not change in place.

        gramian, random: as in `weigh`.
        pairs: the matrices by name, each of shape [n, n], in double precision on the CPU; zero for pairs not seen yet.
        """

    @final
    def weigh(self, gramian: Gramian, random: Generator) -> PerTask:
        """Return w of a step that remembers nothing; arguments as in the base class."""
        return self.recall(gramian, dict.fromkeys(self.remembers, gramian * 0), random)[0]


def _rows(name: str, tasks: int) -> list[str]:
    """Return the keys of a matrix of pairs in the memory, which holds vectors: one key for each of its rows."""
    return [f"{name}_{i}" for i in range(tasks)]


def _part(memory: Mapping[str, Tensor], name: str, counts: Tensor) -> Gramian:
    """Return the rows and columns of a remembered matrix for the n tasks that count, shape [n, n].

    counts: which do, shape [T].
    """
    import torch

    matrix = torch.stack([memory[key] for key in _rows(name, len(counts))])
    return matrix[counts][:, counts].double().cpu()


def _replaced(memory: Mapping[str, Tensor], name: str, counts: Tensor, part: Gramian) -> dict[str, Tensor]:
    """Return the rows of a remembered matrix with those of `part` in the places of the tasks that count."""
    rows = {key: memory[key].clone() for key in _rows(name, len(counts))}
    for i, values in zip(counts.nonzero()[:, 0].tolist(), part, strict=True):
        row = rows[f"{name}_{i}"]
        row[counts] = values.to(row)
    return rows


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
