"""Classes of whole examples: cross entropy, and accuracy on the test set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from gradnorm.datasets.forms.base import AnswerView, Array, Form, Meter, ratio
from gradnorm.methods.base import Kind

if TYPE_CHECKING:
    from torch import Tensor

    from gradnorm.datasets.base import Task


class Classification(Form):
    """Targets [B], int64: classes from 0 to outputs − 1."""

    name: ClassVar[str] = "classification"
    kind: ClassVar[Kind] = "classification"
    metrics: ClassVar[Mapping[str, bool]] = {"accuracy": True}
    headline: ClassVar[str] = "accuracy {:.2f}"
    view: ClassVar[AnswerView] = "classification"
    integer: ClassVar[bool] = True
    batched: ClassVar[bool] = True

    def target_shape(self, outputs: int, size: int, maps: tuple[int, int]) -> tuple[int, ...]:
        """Return (B,)."""
        return (size,)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the cross entropy, mean over examples. output: logits [B, outputs].  target: [B]."""
        from torch.nn import functional

        return functional.cross_entropy(output, target)

    def count(self, target: Tensor) -> int:
        """Return B."""
        return len(target)

    def constant_loss(self, target: Tensor, outputs: int) -> float:
        """Return the entropy of the classes, in nats."""
        return entropy(target, outputs)

    def constant_metrics(self, target: Tensor, outputs: int) -> dict[str, float]:
        """Return the share of the commonest class."""
        import torch

        return {"accuracy": ratio(int(torch.bincount(target, minlength=outputs).max()), len(target))}

    def meter(self, task: Task) -> Meter:
        """Return a meter of accuracy."""
        return _Accuracy()

    def answer(self, output: Tensor, target: Tensor) -> tuple[Array, Array]:
        """Return the true class [] and the probabilities [outputs]."""
        return target[0].numpy(), output[0].softmax(0).numpy()


class _Accuracy(Meter):
    """The share of examples whose most probable class is the true one."""

    def __init__(self) -> None:
        self._right, self._count = 0, 0

    def add(self, output: Tensor, target: Tensor) -> None:
        """Take a batch: logits [B, outputs] and classes [B]."""
        self._right += int((output.argmax(1) == target).sum())
        self._count += len(target)

    def scores(self) -> dict[str, float]:
        """Return the accuracy, in [0, 1]."""
        return {"accuracy": ratio(self._right, self._count)}


def entropy(labels: Tensor, classes: int) -> float:
    """Return the entropy −Σ p·log p of class labels, in nats; 0 for no label at all.

    labels: integers from 0 to classes − 1, of any shape.
    """
    import torch

    share = torch.bincount(labels.flatten().long(), minlength=classes).double() / max(1, labels.numel())
    return -torch.special.xlogy(share, share).sum().item()
