"""A task whose first loss is near 0: the rule that finds it, and the sentence that says so.

Rates are ratios L_i(t)/L_i(0). Where L_i(0) is near 0 by chance, as the residual of a differential equation is while a
network still puts out nearly a constant, the ratio of the first real loss is huge. A method that pulls slow
tasks up then gives this task all the weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradnorm.common.texts import filled

# A loss that stays so many times the first one for so many steps in a row says that the first was no measure of it.
# (A training that is unstable gets as high, but not for as long: for 19 steps at most on the presets.)
RATIO, STEPS = 10.0, 50


@dataclass(frozen=True)
class SmallStart:
    """A task whose loss stays far above its first loss.

    task: its index, from 0.  first: L_i(0) > 0.  loss: L_i(t).
    """

    task: int
    first: float
    loss: float

    def sentence(self, name: str) -> str:
        """Return what to tell the user, but for the remedy. name: the task's."""
        return filled(
            "{name} began with a loss near 0, it seems: {first:.3g} at first, {loss:.3g} now, {times} times as much. "
            "GradNorm takes it for a task that trains slowly, and raises its weight at the other tasks' cost.",
            name=name,
            first=self.first,
            loss=self.loss,
            times=_rounded(self.loss / self.first),
        )


class SmallStarts:
    """Finds the tasks whose loss is over 10 times the first one at 50 steps in a row, while another task's is not.

    Where all losses grow the run diverges, and their rates are alike.

    tasks: T ≥ 1.

    >>> watch = SmallStarts(2)
    >>> for step in range(50):
    ...     found = watch.take([0.5, 0.5], [1.0, 1e-6])
    >>> [start.task for start in found]
    [1]
    """

    def __init__(self, tasks: int) -> None:
        self._above = [0] * tasks  # for how many steps in a row

    def take(self, losses: Sequence[float], first_losses: Sequence[float]) -> list[SmallStart]:
        """Take one step; return the tasks that are found at it.

        losses: L_i(t), T numbers, NaN for an absent task, whose count stands still.
        first_losses: L_i(0), T numbers, NaN for a task not seen yet.
        """
        pairs = zip(losses, first_losses, self._above, strict=True)
        self._above = [0 if loss <= RATIO * first else n + (loss > RATIO * first) for loss, first, n in pairs]
        if max(self._above) < STEPS or all(self._above):
            return []
        return [SmallStart(i, first_losses[i], losses[i]) for i, n in enumerate(self._above) if n >= STEPS]


def _rounded(ratio: float) -> str:
    return f"{float(f'{ratio:.2g}'):,.0f}" if ratio < 1e9 else f"{ratio:.1g}"
