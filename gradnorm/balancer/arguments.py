"""Checks of what a caller passes to a balancer. Each error says what should be, what was found and what to do."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gradnorm.gradients import general
from gradnorm.gradients.general import Shared
from gradnorm.gradients.ranks import Ranks, single_or_wider
from gradnorm.gradients.weighted import joined
from gradnorm.methods.balance import NonFiniteLossError

if TYPE_CHECKING:
    from gradnorm.methods.base import Method
    from gradnorm.methods.small_start import SmallStart

Losses = Tensor | Sequence[Tensor | None] | Mapping[str, Tensor | None]


def task_names(tasks: int | Sequence[str]) -> tuple[str, ...]:
    """Return the T task names: those passed, or "task 1" to "task T" for a number.

    tasks: T ≥ 1, or T different names.
    Raises ValueError for no tasks or for a name that occurs twice.

    >>> task_names(2)
    ('task 1', 'task 2')
    """
    names = tuple(f"task {i + 1}" for i in range(tasks)) if isinstance(tasks, int) else tuple(tasks)
    if not names or len(set(names)) != len(names):
        raise ValueError(
            f"tasks should be a number of at least 1, or different names. Found {tasks!r}. "
            "Pass tasks=3 or tasks=['depth', 'normals']."
        )
    return names


def checked_initial_losses(initial_losses: Sequence[float] | Tensor, names: Sequence[str]) -> Tensor:
    """Return L_i(0) as a new detached vector, shape [T].

    initial_losses: T finite numbers > 0, in the order of `names`.
    names: the T task names.
    Raises ValueError for a wrong length, or a value that is not positive and finite.
    """
    dtype = None if isinstance(initial_losses, Tensor) else torch.get_default_dtype()
    values = torch.as_tensor(initial_losses, dtype=dtype).detach().clone()
    if values.shape != (len(names),) or not bool(((values > 0) & values.isfinite()).all()):
        raise ValueError(
            f"initial_losses should be {len(names)} positive numbers, one for each task. Found {values.tolist()}. "
            "Pass log C for cross entropy over C classes, or leave it out."
        )
    return values


def chosen_method(method: Method | str, tasks: int) -> Method:
    """Return the method, built with its defaults if it is chosen by name, after a check that it suits T tasks.

    method: a method, or the name of one, as `gradnorm methods` lists them.
    tasks: T ≥ 1.
    Raises ValueError for an unknown name, anything that is no method, or hyperparameters that do not suit T tasks.
    """
    # With pydantic, which the import of this module should not have to wait for.
    from gradnorm.methods.base import Method

    if isinstance(method, str):
        method = _method_named(method)
    if not isinstance(method, Method):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(
            f'method should be a method, or the name of one. Found {method!r}. Pass "dwa", or a method with its '
            "hyperparameters from gradnorm.methods, as in StaticWeights(weights=(1, 3))."
        )
    suits(method, tasks)
    return method


def _method_named(name: str) -> Method:
    from gradnorm.config.spec import methods

    if name not in methods():
        raise ValueError(f"method should be one of {', '.join(methods())}. Found {name!r}. Choose one of these names.")
    return methods()[name]()


def suits(method: Method, tasks: int) -> None:
    """Raise ValueError if a method's hyperparameters do not suit T tasks.

    method: the method.  tasks: T ≥ 1.
    """
    try:
        method.check(tasks)
    except ValueError as error:
        raise ValueError(f"{str(error).removesuffix('.')}.") from None


def build_method(method: type[Method], hyperparameters: Mapping[str, Any]) -> Method:
    """Return a method with these hyperparameters.

    method: the method's class.
    hyperparameters: values by field name; fields that are left out take their defaults.
    Raises ValueError for an unknown name or a value out of range; the message says what is allowed.
    """
    # With pydantic, which the import of this module should not have to wait for.
    from pydantic import ValidationError

    from gradnorm.common.declarations import explain

    try:
        return method(**hyperparameters)
    except ValidationError as error:
        message = explain(error, method, "Pass {key} to GradNorm or retune.")
        raise ValueError(message.replace("weight_learning_rate", "learning_rate")) from None


class ZeroFirstLossError(ValueError):
    """A task's first loss is 0, so that the ratio L_i(t)/L_i(0) does not exist.

    task: the task's name.
    """

    def __init__(self, task: str) -> None:
        self.task = task
        super().__init__(
            f"The first loss of {task!r} should be positive, since later losses are divided by it. "
            "Found 0. Give initial_losses, for example log C for cross entropy over C classes."
        )


def attached(losses: Losses, names: Sequence[str]) -> tuple[list[Tensor | None], Tensor | None]:
    """Return the losses as T scalars with a gradient, in single precision or wider, and as one vector, shape [T].

    A scalar is None for an absent task, and the vector is None where a task is absent.

    losses: T scalar tensors that require a gradient (None for an absent task), one tensor of shape [T], or a mapping
        from task names to losses, in which an absent task may be left out.
    names: the T task names, for the messages.
    Raises ValueError for a wrong number of losses, an unknown name, a loss that is not a scalar tensor, a loss without
    a gradient, or a batch in which every task is absent.
    """
    if isinstance(losses, Mapping):
        unknown = [name for name in losses if name not in names]
        if unknown:
            raise ValueError(
                f"losses should be of the tasks {list(names)}. Found {unknown[0]!r}. Use the balancer's names."
            )
        losses = [losses.get(name) for name in names]
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
    each = [None if loss is None else _scalar(loss, name) for loss, name in zip(listed, names, strict=True)]
    present = [loss for loss in each if loss is not None]
    if len(present) < len(each):
        return each, None
    return each, single_or_wider(losses) if isinstance(losses, Tensor) else joined(present)


def measured_at(
    shared: Shared | None, features: Tensor | None, activation: Tensor | None, ranks: Ranks | None
) -> tuple[tuple[Tensor, ...], Tensor | None]:
    """Return the tensors whose gradients are measured, and the features.

    shared, features, activation: as `Balancer.backward` gets them; the last is its `input`.
    ranks: the other processes, if there are any.
    Raises ValueError for an activation beside W, without a gradient, or in one of several processes; SharedLayerError
    for a W without parameters.
    """
    if activation is None:
        return general.shared_parameters(shared), features
    if shared is not None or features is not None:
        raise ValueError(
            "input should be alone. Found shared or features beside it. Pass input=features, or the others."
        )
    if not activation.requires_grad or activation.grad_fn is None:
        raise ValueError(
            "input should be the activation in which the heads meet. Found a tensor that no layer has computed. "
            "Pass the output of the shared part."
        )
    if ranks is not None:
        raise ValueError(
            "shared should be given where several processes train together, since each has activations of its own. "
            "Found input. Pass shared=, the last shared layer."
        )
    return (activation,), activation


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
    return single_or_wider(loss.reshape(()) if loss.dim() else loss)


def loss_values(
    losses: Sequence[Tensor | None],
    vector: Tensor | None,
    names: Sequence[str],
    first_losses: Sequence[float],
    ranks: Ranks | None = None,
) -> tuple[Tensor, list[float]]:
    """Return L(t) as one detached vector, shape [T], and as T numbers, with NaN for an absent task.

    losses, vector: as `attached` returns them.
    names: the T task names, for the messages.
    first_losses: L_i(0), T numbers, NaN for a task not seen yet.
    ranks: the processes to average the losses over, if this one is not alone. A task is then absent if no process
        has it.
    Raises NonFiniteLossError for NaN or infinity, ValueError for a negative loss, and ZeroFirstLossError
    for a first loss of 0. It waits for the device once.
    """
    if vector is None:
        given = next(loss for loss in losses if loss is not None).detach()
        nan = torch.full_like(given, float("nan"))
        vector = torch.stack([nan if loss is None else loss.detach().to(nan) for loss in losses])
    # A copy, since the vector may be the caller's.
    values = vector.detach().clone()
    present = [loss is not None for loss in losses]
    if ranks is not None:
        # All processes have to raise the same error, or some would wait for the others.
        values, present = ranks.mean_losses(values, present)
    numbers: list[float] = values.tolist()
    _check(numbers, present, names, first_losses)
    return values, numbers


def _check(
    values: Sequence[float], present: Sequence[bool], names: Sequence[str], first_losses: Sequence[float]
) -> None:
    """Raise the errors that `loss_values` names."""
    for name, there, value in zip(names, present, values, strict=True):
        if not there:
            continue
        if not math.isfinite(value):
            raise NonFiniteLossError(name, value)
        if value < 0:
            raise ValueError(
                f"The loss of {name!r} should be 0 or more, since rates are ratios of losses. "
                f"Found {value}. Add a constant, or use a loss that is bounded below by 0."
            )
    for name, value, first in zip(names, values, first_losses, strict=True):
        if value == 0 and math.isnan(first):
            raise ZeroFirstLossError(name)


def warn_of_small_starts(small: Sequence[SmallStart], names: Sequence[str], method: Method) -> bool:
    """Warn the caller of `backward` of the first task whose small first loss the method minds; return whether it did.

    small: as `SmallStarts.take` returns it.  names: the T task names.
    A held task keeps its weight whatever its ratio, and with α = 0 no ratio counts.
    """
    minded = [start for start in small if start.task + 1 not in getattr(method, "hold", ())]
    if not minded or getattr(method, "alpha", 1.0) == 0:
        return False
    example = ", ".join("1" for _ in names)
    warnings.warn(
        f"{minded[0].sentence(repr(names[minded[0].task]))} "
        f"Pass the usual size of each loss as initial_losses, for example initial_losses=[{example}].",
        stacklevel=3,
    )
    return True
