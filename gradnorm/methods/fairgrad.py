"""FairGrad, fair resource allocation in multi-task learning (Ban and Ji: ICML 2024, arXiv:2402.15638)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.random import Generator
from pydantic import Field

from gradnorm.common.shapes import Gramian, PerTask
from gradnorm.methods.surgery import GramianMethod, cosines

# The most Newton steps. Ten are enough but for gradients that nearly cancel.
_MAX_STEPS = 100
# The relative error of the equation that is small enough.
_CLOSE = 1e-9
# The line search: the farthest a weight moves, as a power of e; the most halvings of the step; the share of the gain
# that has to come of it; a gain relative to the function that rounding hides.
_FARTHEST, _HALVINGS, _SHARE, _ROUNDING = 3.0, 30, 1e-4, 1e-13
# Added to the unit diagonal; bounds the weights where gradients cancel.
_REGULARIZATION = 1e-6
# No weight is larger: gradients of 1e-30 would ask for more than single precision holds.
_LARGEST = 1e30


class FairResources(GramianMethod):
    """Share the gains fairly among the tasks: maximise Σ_i (g_i·d)^(1−α)/(1−α), as in a network of resources.

    The step is d = Jᵀw, where (J Jᵀ w)_i = w_i^(−1/α) for every task (Eq. 4 of the paper). α = 1 is proportional
    fairness, that of Nash-MTL; α = 2 lets the potential delay be least; a large α helps the worst-off task most. The
    weights apply to the shared parameters alone.

    fairness: α in [0.5, 5].

    Paper: Ban, Ji, "Fair Resource Allocation in Multi-Task Learning", ICML 2024 (arXiv:2402.15638), which chooses α by
    the data.
    Differs from the paper: the equation is solved to rounding on the cosines of the gradients, not by least squares
    that stop where norms are far apart.

    >>> import torch
    >>> from gradnorm import Balancer
    >>> shared = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    >>> losses = [(shared * torch.tensor(direction)).sum() for direction in ([8.0, 0.0], [0.0, 1.0])]
    >>> balance = Balancer(2, FairResources(fairness=2)).backward(losses, shared=shared, trunk=[shared])
    >>> balance.weights.round(decimals=4)  # orthogonal gradients: w_i = ‖g_i‖^(−4/3)
    tensor([0.0625, 1.0000])
    """

    name: ClassVar[str] = "fairgrad"
    title: ClassVar[str] = "FairGrad"
    summary: ClassVar[str] = "Steps in the direction that shares the gains fairly, in the sense of α-fairness."
    citation: ClassVar[str] = (
        "@inproceedings{ban2024fair, title={Fair Resource Allocation in Multi-Task Learning}, author={Ban, Hao and "
        "Ji, Kaiyi}, booktitle={ICML}, year={2024}}"
    )

    fairness: float = Field(
        2.0,
        ge=0.5,
        le=5,
        title="Fairness α",
        description="1 is Nash-MTL's. The larger it is, the more the worst-off task is helped.",
    )

    def weigh(self, gramian: Gramian, random: Generator) -> PerTask:
        """Return `fair_weights`, scaled down where one is above 1e30; arguments as in the base class."""
        weights = fair_weights(gramian, self.fairness)
        return weights * min(1.0, _LARGEST / float(weights.max()))


def fair_weights(gramian: Gramian, alpha: float) -> PerTask:
    """Return w > 0 with (G w)_i = w_i^(−1/α) for each i (Eq. 4 of the paper), shape [n].

    With w = v/‖g‖ it is C v = c·v^(−1/α) for the cosines C and c_i = ‖g_i‖^(1/α − 1): the minimum of the convex
    function ½vᵀCv − Σ_i c_i ∫v_i^(−1/α) dv_i. It is found by Newton steps on log v, which may differ by orders of
    magnitude from task to task, with a line search (Boyd and Vandenberghe, "Convex Optimization", section 9.2).

    gramian: G = J Jᵀ of n tasks, shape [n, n], with a positive diagonal.
    alpha: α in [0.5, 5].

    >>> import torch
    >>> fair_weights(torch.diag(torch.tensor([64.0, 1.0], dtype=torch.float64)), 2.0).round(decimals=4)
    tensor([0.0625, 1.0000], dtype=torch.float64)
    """
    import torch

    norms, C = cosines(gramian)
    largest = norms.max()
    problem = _Problem(C + _REGULARIZATION * torch.eye(len(norms)).to(C), (norms / largest) ** (1 / alpha - 1), alpha)
    v = problem.c ** (alpha / (1 + alpha))  # the solution for orthogonal gradients
    for _ in range(_MAX_STEPS):
        if problem.error(v) < _CLOSE:
            break
        stepped = problem.lowered(v)
        if stepped is None:
            break
        v = stepped
    return v / norms * largest ** ((1 - alpha) / (1 + alpha))


@dataclass(frozen=True)
class _Problem:
    """The function ½vᵀCv − Σ_i c_i ∫v_i^(−1/α) dv_i of log v, for v > 0 of shape [n]; see `fair_weights`."""

    C: Gramian
    c: PerTask
    alpha: float

    def value(self, v: PerTask) -> float:
        """Return the function, but for a constant."""
        power = 1 - 1 / self.alpha
        return float(v @ (self.C @ v) / 2 - self.c @ (v**power / power if power else v.log()))

    def error(self, v: PerTask) -> float:
        """Return the largest relative error of the equations C v = c·v^(−1/α)."""
        return float((self.C @ v / (self.c * v ** (-1 / self.alpha)) - 1).abs().max())

    def lowered(self, v: PerTask) -> PerTask | None:
        """Return v after a Newton step on log v that lowers the function, or None if rounding allows none."""
        slope, move = self._newton(v)
        before, gain = self.value(v), -float(slope @ move)
        step = min(1.0, _FARTHEST / float(move.abs().max()))
        if gain < _ROUNDING * abs(before):  # near the minimum the equations tell more than the function
            after = v * (step * move).exp()
            return after if self.error(after) < self.error(v) else None
        for _ in range(_HALVINGS):
            after = v * (step * move).exp()
            if self.value(after) <= before - _SHARE * step * gain:
                return after
            step /= 2
        return None

    def _newton(self, v: PerTask) -> tuple[PerTask, PerTask]:
        """Return the slope with respect to log v, and the Newton step, where a positive definite matrix stands for
        the Hessian: without the part that is 0 at the minimum."""
        import torch

        pull = v * self.c * v ** (-1 / self.alpha)
        slope = v * (self.C @ v) - pull
        hessian = v[:, None] * self.C * v + (pull / self.alpha).diag()
        scale = hessian.diagonal().rsqrt()
        solve: Any = torch.linalg.solve
        return slope, -scale * solve(scale[:, None] * hessian * scale, scale * slope)
