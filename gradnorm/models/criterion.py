"""The losses of all tasks of N runs at once, and their slopes, for outputs as `Stack` lays them out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from gradnorm.datasets.base import Task


@dataclass(frozen=True)
class Targets:
    """What `Criterion.pack` makes of one batch's targets.

    numbers: of the R regressions, shape [1, B, R, O], padded with 0.  classes: of the others, shape [1, B, C].
    After `join` the first axis is the runs'.
    """

    numbers: Float[Tensor, "runs batch regressions outputs"]
    classes: Int[Tensor, "runs batch classifications"]

    def join(self, others: Sequence[Targets]) -> Targets:
        """Return these and the others along the first axis."""
        return Targets(
            torch.cat([self.numbers, *(o.numbers for o in others)]),
            torch.cat([self.classes, *(o.classes for o in others)]),
        )


class Criterion:
    """Mean losses as `metrics.task_loss` has them: squared errors and cross entropies.

    tasks: T of them.  like: says precision and device.
    """

    def __init__(self, tasks: Sequence[Task], like: Tensor) -> None:
        self._outputs = outputs = max(task.outputs for task in tasks)
        regressions = [i for i, task in enumerate(tasks) if task.kind == "regression"]
        classifications = [i for i, task in enumerate(tasks) if task.kind == "classification"]
        self._regressions, self._classifications = _slice(regressions), _slice(classifications)
        self._kinds = regressions, classifications
        # 1/outputs of a squared error's mean; a cross entropy is no mean over outputs.
        self._share = like.new_tensor([1 / t.outputs if t.kind == "regression" else 1.0 for t in tasks])
        self._plain = all(task.center == 0.0 and task.scale == 1.0 for task in tasks)
        self._center, self._scale = like.new_zeros(len(tasks), outputs), like.new_ones(len(tasks), outputs)
        blocked = like.new_zeros(len(classifications), outputs)
        for i, task in enumerate(tasks):
            self._center[i, : task.outputs] = torch.tensor(task.center)
            self._scale[i, : task.outputs] = torch.tensor(task.scale)
        for row, i in enumerate(classifications):
            blocked[row, tasks[i].outputs :] = -torch.inf
        self._blocked = blocked
        self._gaps = self._excess = like.new_empty(0)

    def pack(self, targets: Sequence[Tensor]) -> Targets:
        """Return a batch's targets, each of shape [B, outputs] or [B] (classes), as one."""
        batch = len(targets[0])
        regressions, classifications = self._kinds
        padded = [functional.pad(targets[i], (0, self._outputs - targets[i].shape[1])) for i in regressions]
        numbers = torch.stack(padded, 1) if padded else self._gaps.new_empty(batch, 0, self._outputs)
        classes = [targets[i] for i in classifications]
        chosen = torch.stack(classes, 1) if classes else torch.empty(batch, 0, dtype=torch.long)
        return Targets(numbers.unsqueeze(0), chosen.unsqueeze(0))

    def losses(self, outputs: Float[Tensor, "runs batch wide"], targets: Targets) -> Float[Tensor, "runs tasks"]:
        """Return L_i, shape [N, T]; keeps what `slopes` needs.

        outputs: [N, B, T·O].  targets: for each run, or one for all.
        """
        (runs, batch, _), tasks = outputs.shape, len(self._share)
        each = outputs.view(runs, batch, tasks, self._outputs)
        if not self._plain:
            each = torch.addcmul(self._center, each, self._scale)
        if not self._kinds[1]:
            if self._gaps.shape != each.shape:
                self._gaps = torch.empty_like(each)
            torch.sub(each, targets.numbers, out=self._gaps)
            return self._squares(self._gaps) * (self._share / batch)
        sums = each.new_empty(runs, tasks)
        if self._kinds[0]:
            self._gaps = each[:, :, self._regressions] - targets.numbers
            sums[:, self._regressions] = self._squares(self._gaps)
        logits = torch.log_softmax(each[:, :, self._classifications] + self._blocked, -1)
        chosen = targets.classes.unsqueeze(-1).expand(runs, -1, -1, -1)
        sums[:, self._classifications] = -logits.gather(-1, chosen).squeeze(-1).sum(1)
        self._excess = logits.exp_().scatter_add_(-1, chosen, -torch.ones_like(chosen, dtype=logits.dtype))
        return sums * (self._share / batch)

    def slopes(self, weights: Float[Tensor, "runs tasks"]) -> Float[Tensor, "runs batch wide"]:
        """Return ∂(Σ_i w_i L_i)/∂outputs for the last `losses`, shape [N, B, T·O]; to be taken once.

        weights: w, shape [N, T].
        """
        kept = self._gaps if self._kinds[0] else self._excess
        runs, batch = kept.shape[:2]
        factors = weights * (self._share / batch)
        if not self._kinds[1]:
            found = self._gaps.mul_((2 * factors)[:, None, :, None])
        else:
            found = kept.new_empty(runs, batch, len(self._share), self._outputs)
            if self._kinds[0]:
                at = self._regressions
                found[:, :, at] = self._gaps.mul_((2 * factors[:, at])[:, None, :, None])
            at = self._classifications
            found[:, :, at] = self._excess.mul_(factors[:, at][:, None, :, None])
        return (found if self._plain else found.mul_(self._scale)).view(runs, batch, -1)

    @staticmethod
    def _squares(gaps: Tensor) -> Tensor:
        """Return Σ gap² over examples and outputs, shape [N, R]; the norm of each row first is the quickest way."""
        return torch.linalg.vector_norm(gaps, dim=-1).square().sum(1)


def _slice(indices: Sequence[int]) -> slice | list[int]:
    """Return neighbours as a slice, which makes views where a list makes copies."""
    if indices and list(indices) == list(range(indices[0], indices[-1] + 1)):
        return slice(indices[0], indices[-1] + 1)
    return list(indices)
