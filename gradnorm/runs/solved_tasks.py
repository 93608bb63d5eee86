"""Which task takes the gradient though it is as good as solved: the rule, and the sentence that says so.

It is the mirror of a stuck task. Equal gradient norms give a task the more weight, the smaller its gradient is. A task
that is solved from the start, or by doing nothing, then keeps the network where it is. The boundary term of a
differential equation does so: the answer 0 meets it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gradnorm.common.texts import filled
from gradnorm.runs.records import Evaluation, Rows
from gradnorm.runs.stuck_tasks import second_half

# So many evaluations are needed for a judgement.
LEAST = 4
# A task is as good as solved if this is all that its loss adds to the weighted sum.
SHARE = 0.01
# A task has learnt next to nothing if its loss never fell below this part of the first.
STILL = 0.9


@dataclass(frozen=True)
class Solved:
    """A task that takes its part of the gradient, or more, with next to nothing left to gain by it.

    task: its index, from 0.  share: what its loss adds to the weighted sum of all, in [0, 1].
    """

    task: int
    step: int
    share: float

    def sentence(self, name: str) -> str:
        """Return what to tell the user."""
        return filled(
            "{name} is as good as solved, it seems, and in the others' way: its loss is {percent:.2g} % of "
            "the weighted sum, yet it has the gradient of a whole task, and no other task has got on after {step:,} "
            "steps. A priority below 1 leaves more to the others.",
            name=name,
            percent=100 * self.share,
            step=self.step,
        )


def solved(evaluations: Sequence[Evaluation], weighted: Rows, norms: Rows) -> list[Solved]:
    """Return the task that is solved and in the others' way, if there is one.

    The rule: throughout the second half of the run so far (from step 500 on, four evaluations at least) no other task's
    test loss was below 0.9 of its first; and over the given steps the task had half of its equal part of the gradient
    norms or more, while its loss was at most 1 % of the weighted sum. Units of the losses make no difference.
    evaluations: of one run, in order.
    weighted, norms: w_i·L_i and G_i of its last steps, shape [n, T]; steps with a NaN don't count.
    """
    others_still = _still(evaluations)
    measured = np.isfinite(norms).all(1) & np.isfinite(weighted).all(1) & (norms.sum(1) > 0) & (weighted.sum(1) > 0)
    if not any(others_still) or not measured.any():
        return []
    parts, shares = (
        (values[measured] / values[measured].sum(1, keepdims=True)).mean(0) for values in (norms, weighted)
    )
    return [
        Solved(i, evaluations[-1].step, float(shares[i]))
        for i, still in enumerate(others_still)
        if still and parts[i] >= 0.5 / len(parts) and shares[i] <= SHARE
    ]


def _still(evaluations: Sequence[Evaluation]) -> list[bool]:
    """Return for each task whether all the others have learnt next to nothing."""
    late = second_half(evaluations)
    if len(late) < LEAST or len(late[-1].losses) == 1:
        return []
    lowest = np.array([e.loss_ratios for e in late]).min(0)
    return [bool((np.delete(lowest, i) >= STILL).all()) for i in range(len(lowest))]
