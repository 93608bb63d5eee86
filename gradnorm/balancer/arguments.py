"""What a caller may hand to a balancer: each fault is told as what should be, what was found, what to do."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

Losses = Tensor | Sequence[Tensor | None]


def task_names(tasks: int | Sequence[str]) -> tuple[str, ...]:
    """Return T different names, "task 1" … for a number. Raises ValueError."""
    names = tuple(f"task {i + 1}" for i in range(tasks)) if isinstance(tasks, int) else tuple(tasks)
    if not names or len(set(names)) != len(names):
        raise ValueError(
            f"tasks should be a number of at least 1, or different names. Found {tasks!r}. "
            "Pass tasks=3 or tasks=['depth', 'normals']."
        )
    return names


def checked_initial_losses(given: Sequence[float] | Tensor, names: Sequence[str]) -> Tensor:
    """Return L_i(0) as a vector of T positive numbers, a copy. Raises ValueError."""
    values = torch.as_tensor(given, dtype=torch.get_default_dtype() if not isinstance(given, Tensor) else None)
    values = values.detach().clone()
    if values.shape != (len(names),) or not bool(((values > 0) & values.isfinite()).all()):
        raise ValueError(
            f"initial_losses should be {len(names)} positive numbers, one a task. Found {values.tolist()}. "
            "Pass log C for cross entropy over C classes, or leave it out."
        )
    return values


class ZeroFirstLossError(ValueError):
    """A task begins with a loss of 0."""

    def __init__(self, task: str) -> None:
        self.task = task
        super().__init__(
            f"The first loss of {task!r} should be positive, since later losses are divided by it. "
            "Found 0. Give initial_losses, for example log C for cross entropy over C classes."
        )


def scalar_losses(losses: Losses, names: Sequence[str]) -> list[Tensor | None]:
    """Return T attached scalars, single precision or wider; None for an absent task. Raises ValueError."""
    if isinstance(losses, Tensor) and losses.dim() != 1:
        raise ValueError(
            f"losses should be {len(names)} scalars or one tensor of shape [{len(names)}]. Found a tensor of "
            f"shape {list(losses.shape)}. Stack one mean loss a task."
        )
    listed = list(losses.unbind()) if isinstance(losses, Tensor) else list(losses)
    if len(listed) != len(names):
        raise ValueError(
            f"losses should have {len(names)} entries, one for each of {list(names)}. Found {len(listed)}. "
            "Pass None for a task that is absent from the batch."
        )
    if all(loss is None for loss in listed):
        raise ValueError(
            "losses should have at least one loss. Found None for every task. Skip the call for such a batch."
        )
    return [None if loss is None else _scalar(loss, name) for loss, name in zip(listed, names, strict=True)]


def _scalar(loss: Tensor, name: str) -> Tensor:
    if not isinstance(loss, Tensor):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(
            f"The loss of {name!r} should be a tensor. Found {type(loss).__name__}. "
            "Pass the loss itself, without .item()."
        )
    if loss.numel() != 1:
        raise ValueError(
            f"The loss of {name!r} should be a scalar. Found shape {list(loss.shape)}. "
            "Reduce it first, for example with .mean()."
        )
    if not loss.requires_grad:
        raise ValueError(
            f"The loss of {name!r} should be attached to the network. Found a tensor without a gradient. "
            "Compute it outside torch.no_grad() and without .detach() or .item()."
        )
    loss = loss.reshape(())
    return loss.float() if loss.dtype in (torch.float16, torch.bfloat16) else loss
