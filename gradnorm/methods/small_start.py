"""A task whose first loss is near 0: the rule that finds it, and the sentence that says so.

Rates are ratios L_i(t)/L_i(0). Where L_i(0) is near 0 by chance, as the residual of a differential equation is while a
network still puts out nearly a constant, the ratio of the first real loss is huge. A method that pulls slow
tasks up then gives this task all the weight.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# A loss that is so many times the first one says that the first one was no measure of it.
RATIO = 100.0


@dataclass(frozen=True)
class SmallStart:
    """A task whose loss is far above its first loss.

    task: its index, from 0.  first: L_i(0) > 0.  loss: L_i(t).
    """

    task: int
    first: float
    loss: float

    def sentence(self, name: str) -> str:
        """Return what to tell the user, but for the remedy. name: the task's."""
        return (
            f"{name} began with a loss near 0, it seems: {self.first:.3g} at first, {self.loss:.3g} now, "
            f"{_rounded(self.loss / self.first)} times as much. GradNorm takes it for a task that trains slowly, and "
            "raises its weight at the other tasks' cost."
        )


def small_starts(losses: Iterable[float], first_losses: Iterable[float]) -> list[SmallStart]:
    """Return the tasks whose loss is over 100 times the first one.

    losses: L_i(t), T numbers, NaN for an absent task.  first_losses: L_i(0), T numbers, NaN for a task not seen yet.

    >>> [start.task for start in small_starts([0.5, 0.5], [1.0, 1e-6])]
    [1]
    """
    return [
        SmallStart(i, first, loss)
        for i, (loss, first) in enumerate(zip(losses, first_losses, strict=True))
        if loss > RATIO * first
    ]


def _rounded(ratio: float) -> str:
    return f"{float(f'{ratio:.2g}'):,.0f}" if ratio < 1e9 else f"{ratio:.1g}"
