"""The losses of all tasks of N runs at once, and their gradients by the outputs, which are laid out as in `Stack`."""

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
    After `join` the first axis is the runs'. Where there are no such tasks, the tensor is empty.
    """

    numbers: Float[Tensor, ...]
    classes: Int[Tensor, ...]

    @classmethod
    def join(cls, parts: Sequence[Targets]) -> Targets:
        """Return several along the first axis."""
        if len(parts) == 1:
            return parts[0]
        return cls(torch.cat([part.numbers for part in parts]), torch.cat([part.classes for part in parts]))

    def of(self, runs: Sequence[int]) -> Targets:
        """Return those of some runs, each as often as it is named."""
        indices = list(runs)
        return Targets(*(part[indices] if part.numel() else part for part in (self.numbers, self.classes)))


_NO_NUMBERS, _NO_CLASSES = torch.empty(0), torch.empty(0, dtype=torch.long)


class Criterion:
    """Mean losses as `metrics.task_loss` has them: squared errors and cross entropies.

    tasks: T of them.  batch: B.  like: says precision and device.
    """

    def __init__(self, tasks: Sequence[Task], batch: int, like: Tensor) -> None:
        self._outputs = outputs = max(task.outputs for task in tasks)
        regressions = [i for i, task in enumerate(tasks) if task.kind == "regression"]
        classifications = [i for i, task in enumerate(tasks) if task.kind == "classification"]
        self._regressions, self._classifications = _slice(regressions), _slice(classifications)
        self._kinds = regressions, classifications
        # Of each number in the mean, and of the slope's factor; a cross entropy is no mean over outputs.
        share = [1 / (batch * t.outputs) if t.kind == "regression" else 1 / batch for t in tasks]
        steep = [2 * s if t.kind == "regression" else s for s, t in zip(share, tasks, strict=True)]
        self._share, self._steepness = like.new_tensor(share), like.new_tensor(steep)
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
        regressions, classifications = self._kinds
        # Few operations: a thread that makes batches takes turns with the one that trains at each.
        numbers, classes = [self._padded(targets[i]) for i in regressions], [targets[i] for i in classifications]
        return Targets(
            torch.stack(numbers, 1).unsqueeze(0) if numbers else _NO_NUMBERS,
            torch.stack(classes, 1).unsqueeze(0) if classes else _NO_CLASSES,
        )

    def _padded(self, target: Tensor) -> Tensor:
        missing = self._outputs - target.shape[1]
        return functional.pad(target, (0, missing)) if missing else target

    def losses(self, outputs: Float[Tensor, "runs batch wide"], targets: Targets) -> Float[Tensor, "runs tasks"]:
        """Return L_i, shape [N, T]; keeps what `output_gradients` needs.

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
            return self._squares(self._gaps) * self._share
        sums = each.new_empty(runs, tasks)
        if self._kinds[0]:
            self._gaps = each[:, :, self._regressions] - targets.numbers
            sums[:, self._regressions] = self._squares(self._gaps)
        logits = torch.log_softmax(each[:, :, self._classifications] + self._blocked, -1)
        chosen = targets.classes.unsqueeze(-1).expand(runs, -1, -1, -1)
        sums[:, self._classifications] = -logits.gather(-1, chosen).squeeze(-1).sum(1)
        self._excess = logits.exp_().scatter_add_(-1, chosen, -torch.ones_like(chosen, dtype=logits.dtype))
        return sums * self._share

    def output_gradients(self, weights: Float[Tensor, "runs tasks"]) -> Float[Tensor, "runs batch wide"]:
        """Return ∂(Σ_i w_i L_i)/∂outputs for the last `losses`, shape [N, B, T·O]; to be taken once.

        weights: w, shape [N, T].
        """
        kept = self._gaps if self._kinds[0] else self._excess
        factors = (weights * self._steepness)[:, None, :, None]
        if not self._kinds[1]:
            gradients = self._gaps.mul_(factors)
        else:
            gradients = kept.new_empty(*kept.shape[:2], len(self._share), self._outputs)
            if self._kinds[0]:
                gradients[:, :, self._regressions] = self._gaps.mul_(factors[:, :, self._regressions])
            gradients[:, :, self._classifications] = self._excess.mul_(factors[:, :, self._classifications])
        return (gradients if self._plain else gradients.mul_(self._scale)).flatten(2)

    def slopes(self, weights: Float[Tensor, "runs tasks"]) -> Float[Tensor, "runs batch wide"]:
        """Return `output_gradients`; scripts exported before version 0.2 call it by this name."""
        return self.output_gradients(weights)

    @staticmethod
    def _squares(gaps: Tensor) -> Tensor:
        """Return Σ gap² over examples and outputs, shape [N, R]; the norm of each row first is the quickest way."""
        return torch.linalg.vector_norm(gaps, dim=-1).square().sum(1)


def _slice(indices: Sequence[int]) -> slice | list[int]:
    """Return neighbours as a slice, which makes views where a list makes copies."""
    if indices and list(indices) == list(range(indices[0], indices[-1] + 1)):
        return slice(indices[0], indices[-1] + 1)
    return list(indices)
