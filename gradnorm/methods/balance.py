"""What a balancer decides at one step, and what it raises for a run that has diverged.

Apart from the methods, so that a user's `from gradnorm import GradNorm` need not load pydantic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import islice
from typing import Any, Literal

from gradnorm.common.shapes import PerTask, Scalar

Kind = Literal["regression", "classification"]


class NonFiniteLossError(ValueError):
    """A task's loss is NaN or infinite: the run has diverged.

    task: the task's name.  value: its loss.

    >>> import torch
    >>> from gradnorm import GradNorm, NonFiniteLossError
    >>> shared = torch.nn.Parameter(torch.ones(2))
    >>> try:
    ...     _ = GradNorm(["depth", "normals"]).backward([shared.sum(), shared.sum() / 0], shared=shared)
    ... except NonFiniteLossError as error:
    ...     print(error.task, error.value)
    normals inf
    """

    def __init__(self, task: str, value: float) -> None:
        self.task = task
        self.value = value
        super().__init__(
            f"The loss of {task!r} should be finite. Found {value}. "
            "Lower the learning rate, or check the batch for missing values."
        )


@dataclass(frozen=True)
class Balance:
    """What a balancer measured and decided at one step.

    All tensors are detached and, unless said otherwise, of shape [T] with NaN for absent tasks.

    weights: w(t), the weights used in this step's backward pass. An absent task has a weight, too.
    losses: L_i(t) ≥ 0, unweighted.
    loss_ratios: L̃_i(t) = L_i(t)/L_i(0), the inverse training rate.
    relative_rates: r_i(t) = L̃_i(t)/mean_j L̃_j(t); their mean is 1.
    gradient_norms: G_i(t) = ‖∇_W w_i L_i‖₂; None if the norms were not measured.
    targets: Ḡ(t)·r_i(t)^α (Eq. 1), for GradNorm's closed and log updates over mean_j r_j^α; None for a method without
        targets.
    imbalance: L_grad(t) = Σ_i |G_i − target_i| (Eq. 2), a scalar; None for a method without targets.

    >>> import torch
    >>> from gradnorm import GradNorm
    >>> shared = torch.nn.Parameter(torch.ones(1))
    >>> balance = GradNorm(2, alpha=0).backward([(2 * shared).sum(), (6 * shared).sum()], shared=shared)
    >>> balance.gradient_norms.tolist(), balance.targets.tolist(), balance.imbalance.item()
    ([2.0, 6.0], [4.0, 4.0], 4.0)
    """

    weights: PerTask
    losses: PerTask
    loss_ratios: PerTask
    relative_rates: PerTask
    gradient_norms: PerTask | None = None
    targets: PerTask | None = None
    imbalance: Scalar | None = None

    def numbers(self) -> dict[str, tuple[float, ...] | float | None]:
        """Return every field as plain numbers, with one transfer from the device.

        A vector becomes a tuple of T floats, the imbalance a float, and what was not measured stays None.
        """
        one_run: dict[str, Any] = {
            name: None if value is None else value[None] for name, value in self._fields().items()
        }
        return Balance(**one_run).numbers_of_runs()[0]

    def numbers_of_runs(self) -> list[dict[str, tuple[float, ...] | float | None]]:
        """Return `numbers` for each of n runs, whose vectors have the shape [n, T] and whose imbalance has [n].

        This, too, takes one transfer from the device.
        """
        import torch

        tasks = self.losses.shape[-1]
        values = self._fields()
        measured = {name: value for name, value in values.items() if value is not None}
        columns = [value[:, None] if name == "imbalance" else value for name, value in measured.items()]
        # Joined in the highest precision among them, so that none is rounded.
        runs: list[dict[str, Any]] = []
        for row in torch.cat(columns, 1).tolist():
            rest = iter(row)
            plain: dict[str, Any] = dict.fromkeys(values)
            for name in measured:
                plain[name] = next(rest) if name == "imbalance" else tuple(islice(rest, tasks))
            runs.append(plain)
        return runs

    def with_norms(self, gradient_norms: PerTask | None) -> Balance:
        """Return the same balance with other gradient norms, shape [T] or [n, T]."""
        return Balance(**{**self._fields(), "gradient_norms": gradient_norms})

    def _fields(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}


class Unmeasured(Balance):
    """The balance of a step without a measurement, whose ratios are computed when somebody asks for them.

    Nothing is decided from them, and at such a step they would be most of what a method costs.

    weights, losses: as in `Balance`.
    ratios: returns (loss_ratios, relative_rates).
    """

    def __init__(self, weights: PerTask, losses: PerTask, ratios: Callable[[], tuple[PerTask, PerTask]]) -> None:
        # A frozen dataclass has no other way in; what is left out here are the class's own defaults, None.
        vars(self).update(weights=weights, losses=losses, _ratios=ratios)

    @cached_property
    def _both(self) -> tuple[PerTask, PerTask]:
        return vars(self)["_ratios"]()

    @property
    def loss_ratios(self) -> PerTask:  # pyright: ignore[reportIncompatibleVariableOverride]
        """L_i(t)/L_i(0), shape [T]."""
        return self._both[0]

    @property
    def relative_rates(self) -> PerTask:  # pyright: ignore[reportIncompatibleVariableOverride]
        """r_i(t), shape [T]."""
        return self._both[1]


@dataclass(frozen=True)
class Decision:
    """What `Method.decide` returns.

    weights: w(t+1), shape [T].
    memory: the new `State.memory`.
    targets: Ḡ·r_i^α, shape [T], and imbalance: L_grad, a scalar; None for a method without targets.
    used: w(t), shape [T], if the method chooses it from this step's own signal. None means that the weights
        decided at the step before are used.
    """

    weights: PerTask
    memory: Mapping[str, PerTask]
    targets: PerTask | None = None
    imbalance: Scalar | None = None
    used: PerTask | None = None
