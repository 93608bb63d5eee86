"""A weighting method bound to a network: measure, decide, back-propagate the weighted sum.

A user's training loop and the training engine use the same class.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from gradnorm.balancer import arguments
from gradnorm.balancer.arguments import Losses, build_method
from gradnorm.gradients import general
from gradnorm.gradients.general import Shared
from gradnorm.gradients.jacobian import Jacobian
from gradnorm.gradients.one_pass import OnePass
from gradnorm.methods.balance import Balance, Kind
from gradnorm.methods.signal import Needs, Signal, State
from gradnorm.methods.small_start import SmallStarts

if TYPE_CHECKING:
    from gradnorm.methods.base import Method

_REGRESSION: Kind = "regression"


class LossScaler(Protocol):
    """The part of `torch.amp.GradScaler` that a balancer uses."""

    def scale(self, outputs: Tensor, /) -> Any:
        """Return `outputs` times the current loss scale."""
        ...


class Balancer:
    """Weigh the losses of T tasks by any weighting method, and run their joint backward pass.

    Each call of `backward` adds the gradient of L(t) = Σ_i w_i(t)·L_i(t) to `.grad`.

    tasks: T ≥ 1, or T different names.
    method: the weighting method with its hyperparameters, from `gradnorm.methods`.
    initial_losses: L_i(0) > 0, shape [T]. None means each task's first loss. For cross entropy over
        C classes the paper suggests log C.
    kinds: "regression" or "classification" for each task, since some methods treat them differently.
        Left out, all are regressions.
    watch_norms: whether to measure gradient norms even if the method does not need them.
    warns: whether to warn, once, of a task whose first loss was so near 0 that its ratio L_i(t)/L_i(0) stays over 10,
        where the method sets targets by it.
    Raises ValueError for a wrong number of names, kinds or initial losses.

    >>> import torch
    >>> from gradnorm import Balancer
    >>> from gradnorm.methods.static import StaticWeights
    >>> shared = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    >>> balancer = Balancer(["depth", "normals"], StaticWeights(weights=(1, 3)))
    >>> balance = balancer.backward([shared[0] ** 2, shared[1] ** 2], shared=shared)
    >>> balance.weights.tolist()
    [0.5, 1.5]
    >>> shared.grad.tolist()  # 0.5·2·1 and 1.5·2·2
    [1.0, 6.0]
    """

    def __init__(
        self,
        tasks: int | Sequence[str],
        method: Method,
        *,
        initial_losses: Sequence[float] | Tensor | None = None,
        kinds: Sequence[Kind] = (),
        watch_norms: bool = False,
        warns: bool = True,
    ) -> None:
        self.names = arguments.task_names(tasks)
        self.method = method
        self._measures_norms = watch_norms or method.needs is Needs.NORMS
        each: Sequence[Kind] = kinds or (_REGRESSION,) * len(self.names)
        if len(each) != len(self.names):
            raise ValueError(f"kinds should name {len(self.names)} tasks. Found {len(each)}. Give one for each.")
        state = method.start(torch.ones(len(self.names)), each)
        if initial_losses is not None:
            state = State(state.weights, arguments.checked_initial_losses(initial_losses, self.names), state.memory)
        self._state = state
        # L_i(0) on the host, once every task has been seen.
        self._first_losses: list[float] | None = None if initial_losses is None else state.initial_losses.tolist()
        self._small_starts = SmallStarts(len(self.names)) if warns and method.sets_targets else None
        self._steps = 0
        general.allow_several_passes()

    @property
    def tasks(self) -> int:
        """T, the number of tasks."""
        return len(self.names)

    @property
    def state(self) -> State:
        """The method's state for the next step: weights, initial losses and memory."""
        return self._state

    def place(self, state: State, steps: int) -> None:
        """Replace the state by one that the same method reached elsewhere.

        state: the state for the next step; its vectors have shape [T].
        steps: how many steps led to it, ≥ 0.
        """
        self._state, self._steps, self._first_losses = state, steps, None

    @property
    def weights(self) -> Tensor:
        """w(t+1), the weights of the next step: a detached copy, shape [T]."""
        return self._state.weights.clone()

    @property
    def initial_losses(self) -> Tensor:
        """L_i(0): a detached copy, shape [T], NaN for a task that has not been seen yet."""
        return self._state.initial_losses.clone()

    def backward(
        self,
        losses: Losses,
        *,
        shared: Shared,
        features: Tensor | None = None,
        trunk: Iterable[Tensor] | None = None,
        scaler: LossScaler | None = None,
    ) -> Balance:
        """Run one step of Algorithm 1: measure, decide the weights, back-propagate Σ_i w_i(t)·L_i(t).

        losses: T scalars ≥ 0 that require a gradient, or one tensor of shape [T]. None stands for a task that
            is absent from the batch: it adds no gradient and keeps its weight.
        shared: W, the last shared layer: a module, a parameter, or an iterable of parameters.
        features: the output or the input of `shared`, shape [B, ...]. With it a step takes one backward pass
            through heads and trunk, if the heads meet in one tensor at or above `features`; otherwise it takes
            one pass for each task. The result is the same up to rounding.
        trunk: all parameters that the tasks share, those of W included. Only gradient surgery needs it: its
            weights apply to these parameters, and each head gets the gradient of its own loss.
        scaler: the `torch.amp.GradScaler` in use, if any. Pass the losses unscaled: `.grad` is then scaled as
            the scaler expects, and the norms are those of the unscaled gradients.
        Returns the `Balance` of this step. The gradients are added to `.grad` of every parameter.
        Raises ValueError for losses of a wrong number, shape or sign, a loss without a gradient, or a shared
        layer that a loss does not reach; NonFiniteLossError for a loss that is NaN or infinite. The balancer
        and `.grad` are then as they were.

        >>> import torch
        >>> from gradnorm import GradNorm
        >>> balancer = GradNorm(2, alpha=0)
        >>> shared = torch.nn.Parameter(torch.ones(1))
        >>> balance = balancer.backward([(2 * shared).sum(), (6 * shared).sum()], shared=shared)
        >>> balance.gradient_norms.tolist(), balance.targets.tolist()
        ([2.0, 6.0], [4.0, 4.0])
        >>> balancer.weights[0] > 1 > balancer.weights[1]  # task 1 lies below its target, task 2 above
        tensor(True)
        """
        attached = arguments.scalar_losses(losses, self.names)
        present = None not in attached
        # At a first step there is no initial loss yet; later all of them have to be there.
        complete = present and (self._first_losses is not None or self._steps == 0)
        first = self._first_losses or self._state.initial_losses.tolist()
        values, numbers = arguments.loss_values(attached, self.names, first)
        self._match_state_to(values)
        scale = None if scaler is None else scaler.scale(torch.ones((), device=values.device))
        measured = self._measure(attached, general.shared_parameters(shared), features, trunk, scale)
        norms, gramian = (
            None if measurement is None else measurement.to(values.dtype)
            for measurement in (measured.norms, measured.gramian)
        )
        signal = Signal(values, norms, gramian, self._steps + 1, complete)
        balance, state = self.method.balance(self._state, signal)
        measured.backward(balance.weights)
        self._steps += 1
        if scaler is None or norms is None:
            self._state = state
            if present and self._first_losses is None:
                self._first_losses = state.initial_losses.tolist()
        else:
            # Gradients overflow under a loss scale that is too large. The optimizer skips such a step,
            # and so do the weights.
            sound = (norms.isfinite() | values.isnan()).all()
            self._state = _select_state(sound, state, self._state)
        if self._small_starts is not None and arguments.warn_of_small_starts(
            self._small_starts.take(numbers, first), self.names, self.method
        ):
            self._small_starts = None  # once
        return balance

    def _measure(
        self,
        losses: Sequence[Tensor | None],
        shared: Sequence[Tensor],
        features: Tensor | None,
        trunk: Iterable[Tensor] | None,
        scale: Tensor | None,
    ) -> general.Measurement:
        """Measure what the method needs and no more, in the cheapest way that the graph allows."""
        if self.method.needs is Needs.GRAMIAN:
            if trunk is None:
                raise ValueError(
                    f"trunk should hold all parameters that tasks share, for {self.method.title}. Found none. "
                    "Pass trunk=model.trunk.parameters(), with those of the last shared layer."
                )
            return Jacobian(losses, [p for p in trunk if p.requires_grad], shared, self.names, scale)
        cut = OnePass.plan(losses, features, shared) if features is not None and self._measures_norms else None
        if cut is not None:
            return OnePass(losses, cut, shared, self.names, scale)
        return general.SeparatePasses(losses, shared, self.names, scale, wants_norms=self._measures_norms)

    def retune(self, **hyperparameters: Any) -> None:
        """Change hyperparameters of the method, from the next step on.

        hyperparameters: new values by the names of the method's fields, as in alpha=0.5.
        Raises ValueError for an unknown name or a value out of range; nothing has changed then.

        >>> from gradnorm import GradNorm
        >>> balancer = GradNorm(2, alpha=1.5)
        >>> balancer.retune(alpha=0.5)
        >>> balancer.method.alpha
        0.5
        """
        self.method = build_method(type(self.method), {**self.method.model_dump(), **hyperparameters})

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a resumed run needs, for `torch.save`.

        The keys are tasks, method, hyperparameters, steps, weights, initial_losses and memory. The tensors
        are copies.

        >>> from gradnorm import GradNorm
        >>> saved = GradNorm(["depth", "normals"]).state_dict()
        >>> saved["method"], saved["tasks"], saved["weights"].tolist()
        ('gradnorm', ['depth', 'normals'], [1.0, 1.0])
        """
        return {
            "tasks": list(self.names),
            "method": self.method.name,
            "hyperparameters": self.method.model_dump(),
            "steps": self._steps,
            "weights": self._state.weights.clone(),
            "initial_losses": self._state.initial_losses.clone(),
            "memory": {name: value.clone() for name, value in self._state.memory.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a saved state of the same tasks and the same method, hyperparameters included.

        state: what `state_dict` returned.
        Raises ValueError if it belongs to other tasks or another method; nothing has changed then.

        >>> from gradnorm import GradNorm
        >>> balancer = GradNorm(2, alpha=1.5)
        >>> balancer.load_state_dict(GradNorm(2, alpha=0.5).state_dict())
        >>> balancer.method.alpha
        0.5
        """
        saved = (state["method"], list(state["tasks"]))
        own = (self.method.name, list(self.names))
        if saved != own:
            raise ValueError(
                f"The state should be of method {own[0]!r} and tasks {own[1]}. Found {saved[0]!r} "
                f"and {saved[1]}. Build the balancer with the same tasks and method."
            )
        self.method = type(self.method)(**state["hyperparameters"])
        self._first_losses = None
        self._steps = int(state["steps"])
        memory: Mapping[str, Tensor] = state["memory"]
        self._state = State(
            state["weights"].clone(),
            state["initial_losses"].clone(),
            {name: value.clone() for name, value in memory.items()},
        )

    def inherit(self, state: Mapping[str, Any]) -> None:
        """Continue from another balancer's saved state of the same tasks, keeping these hyperparameters.

        From a state of the same method it takes weights, initial losses and memory. From another method's it
        takes the initial losses alone.

        state: what the other balancer's `state_dict` returned.
        Raises ValueError if it belongs to other tasks; nothing has changed then.

        >>> from gradnorm import GradNorm
        >>> child = GradNorm(2, alpha=0.5)
        >>> child.inherit(GradNorm(2, alpha=1.5, initial_losses=[3, 4]).state_dict())
        >>> child.method.alpha, child.initial_losses.tolist()
        (0.5, [3.0, 4.0])
        """
        fresh = self.state_dict()
        if state["method"] == self.method.name:
            memory = {name: state["memory"].get(name, value) for name, value in fresh["memory"].items()}
            own = {**state, "memory": memory}
        else:
            own = {**state, "method": self.method.name, "weights": fresh["weights"], "memory": fresh["memory"]}
        self.load_state_dict({**own, "hyperparameters": fresh["hyperparameters"]})

    def _match_state_to(self, values: Tensor) -> None:
        """Move the state to the device and precision of `values`."""
        s = self._state
        if s.weights.dtype == values.dtype and s.weights.device == values.device:
            return
        self._state = State(
            s.weights.to(values), s.initial_losses.to(values), {k: v.to(values) for k, v in s.memory.items()}
        )


def _select_state(condition: Tensor, new: State, old: State) -> State:
    """Return `new` where `condition` (a scalar on the device) holds, else `old`, without waiting for the device."""
    return State(
        new.weights.where(condition, old.weights),
        new.initial_losses.where(condition, old.initial_losses),
        {name: value.where(condition, old.memory[name]) for name, value in new.memory.items()},
    )
