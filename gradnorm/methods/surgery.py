"""Gradient surgery: the base class of methods that weigh the gradients of the shared parameters by their Gramian."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, final

from gradnorm.common.extras import require
from gradnorm.common.randomness import stream
from gradnorm.common.shapes import Gramian, PerTask
from gradnorm.methods.base import Decision, Kind, Method, Needs, Signal, State, fresh_state

# From a Gramian, shape [n, n], to weights, shape [n].
Weighting = Callable[[Any], Any]


class GramianMethod(Method):
    """Choose w(t) = weighting(J Jᵀ), where row i of J is the gradient of L_i of all shared parameters.

    Only the rows of tasks that are present count. The weights apply to the shared parameters; each head gets the
    gradient of its own loss. A subclass says what the weighting is; most are those of TorchJD.
    """

    needs: ClassVar[Needs] = Needs.GRAMIAN
    # A weight may be zero (MGDA) or negative (IMTL-G).
    positive: ClassVar[bool] = False
    trunk_only: ClassVar[bool] = True
    packages: ClassVar[tuple[str, ...]] = ("torchjd",)

    @abstractmethod
    def weighting(self) -> Weighting:
        """Return the function from a Gramian, shape [n, n], to weights, shape [n], for the n tasks that are present."""

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

        Absent tasks keep their weights.
        """
        assert signal.gramian is not None, "Gradient surgery needs the Gramian"
        present = ~signal.losses.isnan()
        gramian = signal.gramian[present][:, present]
        used = state.weights.clone()
        used[present] = _weights_in_double(self.weighting(), gramian, signal.step).to(used)
        return Decision(used, {}, used=used)


def _weights_in_double(weighting: Weighting, gramian: Gramian, step: int) -> PerTask:
    """Return the weights, computed in double precision since Gramians of unequal tasks are badly conditioned.

    The random generator is seeded by the step, so that a resumed run draws the same numbers (PCGrad draws the
    order of the tasks).
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(stream(0, "surgery", step).integers(2**31)))
        return weighting(gramian.double().cpu()).to(gramian.device)
