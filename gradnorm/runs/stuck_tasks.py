"""Which task cannot improve: the rule, and the sentence that says so.

The paper's supplement leaves open what becomes of a task whose loss cannot fall: its rate r_i keeps rising against
the others', so GradNorm keeps raising its weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradnorm.common.texts import filled
from gradnorm.runs.records import Evaluation

# What a judgement needs: so many evaluations, and so many steps before the first of them.
LEAST, FIRST_STEPS = 5, 500
# A loss in this range, in units of the best constant answer's, tells nothing of the input.
RANGE = (0.98, 1.1)
# A loss that has fallen by more than this since may get there, even if it is up again at the newest evaluation.
FALL = 0.02


@dataclass(frozen=True)
class Stuck:
    """A task that has learnt nothing while others have.

    task: its index, from 0.  loss, constant: its test loss, and that of the best constant answer.
    """

    task: int
    step: int
    loss: float
    constant: float

    def sentence(self, name: str) -> str:
        """Return what to tell the user."""
        return filled(
            "{name} cannot improve, it seems: after {step:,} steps its test loss, {loss:.4g}, is no better than "
            "that of a constant answer, {constant:.4g}. Its relative rate therefore stays high, and GradNorm keeps "
            "raising its weight at the other tasks' cost.",
            name=name,
            step=self.step,
            loss=self.loss,
            constant=self.constant,
        )


def stuck(evaluations: Sequence[Evaluation]) -> list[Stuck]:
    """Return the tasks that are stuck.

    The rule: throughout the second half of the run so far (from step 500 on, five evaluations at least) the test loss
    stayed within 0.98 to 1.1 times that of the best constant answer and never fell by 2 %, while the task's loss ratio
    is above the mean of all (so GradNorm raises its weight) and another task is better than a constant.
    evaluations: of one run, in order; those without `constant_losses` tell nothing.
    """
    late = second_half([e for e in evaluations if e.constant_losses])
    if len(late) < LEAST:
        return []
    newest, mean = late[-1], late[-1].task_normalized_loss / len(late[-1].losses)
    tasks = range(len(newest.losses))
    if not any(newest.losses[i] < RANGE[0] * newest.constant_losses[i] for i in tasks):
        return []
    return [
        Stuck(i, newest.step, newest.losses[i], newest.constant_losses[i])
        for i in tasks
        if newest.loss_ratios[i] > mean
        # Where a constant answer is right, as for one class alone, there is nothing to be stuck at.
        and min(e.constant_losses[i] for e in late) > 0
        and _flat([e.losses[i] / e.constant_losses[i] for e in late])
    ]


def second_half(evaluations: Sequence[Evaluation]) -> list[Evaluation]:
    """Return the evaluations of the second half of the run so far, without those before step 500."""
    half = evaluations[-1].step / 2 if evaluations else 0.0
    return [e for e in evaluations if e.step >= max(half, FIRST_STEPS)]


def _flat(ratios: Sequence[float]) -> bool:
    # The lowest counts, not the last: a test loss that falls by fits and starts may be up again at any one evaluation.
    return all(RANGE[0] <= ratio <= RANGE[1] for ratio in ratios) and min(ratios) > (1 - FALL) * ratios[0]
