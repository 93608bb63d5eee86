"""Methods that weigh the gradients of the shared parameters by their Gramian, through TorchJD's weightings."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, final

from gradnorm.common.extras import require
from gradnorm.common.randomness import stream
from gradnorm.common.shapes import Gramian, PerTask
from gradnorm.methods.base import Decision, Kind, Method, Needs, Signal, State, fresh_state

Weighting = Callable[[Any], Any]


class GramianMethod(Method):
    """The adapter: w(t) = weighting(J Jᵀ) for the rows of J that are present, as the paper of each method has it.

    The weights are for the shared parameters; each head gets the gradient of its own loss.
    """

    needs: ClassVar[Needs] = Needs.GRAMIAN
    # A method may leave a task out (MGDA) or turn it round (IMTL-G).
    positive: ClassVar[bool] = False
    trunk_only: ClassVar[bool] = True
    packages: ClassVar[tuple[str, ...]] = ("torchjd",)

    @abstractmethod
    def weighting(self) -> Weighting:
        """Return what gives the weights, shape [n], from a Gramian of shape [n, n]."""

    @final
    def start(self, ones: PerTask, kinds: Sequence[Kind]) -> State:
        """Return w = 1, which the first Gramian replaces; see `Method.start`.

        Raises MissingPackageError if TorchJD is needed and not installed.
        """
        require(f"Method {self.name}", *self.packages)
        return fresh_state(ones)

    @final
    def decide(self, state: State, signal: Signal, relative_rates: PerTask) -> Decision:
        """Return the weights that the Gramian of this very step gives; absent tasks keep theirs."""
        assert signal.gramian is not None, "Gradient surgery needs the Gramian"
        present = ~signal.losses.isnan()
        gramian = signal.gramian[present][:, present]
        used = state.weights.clone()
        used[present] = _weighed(self.weighting(), gramian, signal.step).to(used)
        return Decision(used, {}, used=used)


def _weighed(weighting: Weighting, gramian: Gramian, step: int) -> PerTask:
    """Return the weights in double precision: Gramians of tasks of unequal scale are badly conditioned.

    A weighting that draws (PCGrad's order of tasks) gets a generator of this step, so that a run that goes on
    from a checkpoint draws the same.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(stream(0, "surgery", step).integers(2**31)))
        return weighting(gramian.double().cpu()).to(gramian.device)
