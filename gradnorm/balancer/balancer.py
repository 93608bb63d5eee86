"""A weighting method bound to a network: measure, decide, weighted backward.

What a library user holds (`GradNorm`) is what the engine uses.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import torch
from pydantic import ValidationError
from torch import Tensor

from gradnorm.balancer.arguments import Losses, ZeroFirstLossError, checked_initial_losses, scalar_losses, task_names
from gradnorm.common.declarations import explain
from gradnorm.gradients import general
from gradnorm.gradients.general import Shared
from gradnorm.gradients.jacobian import Jacobian
from gradnorm.gradients.one_pass import OnePass
from gradnorm.methods.base import Balance, Kind, Method, Needs, NonFiniteLossError, Signal, State
from gradnorm.methods.gradnorm import GradNormMethod, Update

_REGRESSION: Kind = "regression"


class LossScaler(Protocol):
    """What is used of `torch.amp.GradScaler`."""

    def scale(self, outputs: Tensor, /) -> Any:
        """Return `outputs` times the current loss scale."""
        ...


class Balancer:
    """Weighs the losses of T tasks by a `Method` and runs their joint backward pass.

    tasks: how many (≥ 1), or their names.
    method: which weighting method, with its hyperparameters.
    initial_losses: L_i(0) > 0, shape [T]; None takes each task's first loss. For cross entropy over C
        classes the paper suggests log C.
    kinds: "regression" or "classification" for each task, which some methods tell apart; left out: regressions.
    watch_norms: measure gradient norms even where the method does not need them.
    Raises ValueError for a wrong number of names, kinds or initial losses.
    """

    def __init__(
        self,
        tasks: int | Sequence[str],
        method: Method,
        *,
        initial_losses: Sequence[float] | Tensor | None = None,
        kinds: Sequence[Kind] = (),
        watch_norms: bool = False,
    ) -> None:
        self.names = task_names(tasks)
        self.method = method
        self._measures_norms = watch_norms or method.needs is Needs.NORMS
        each: Sequence[Kind] = kinds or (_REGRESSION,) * len(self.names)
        if len(each) != len(self.names):
            raise ValueError(f"kinds should name {len(self.names)} tasks. Found {len(each)}. Give one for each.")
        state = method.start(torch.ones(len(self.names)), each)
        if initial_losses is not None:
            state = State(state.weights, checked_initial_losses(initial_losses, self.names), state.memory)
        self._state = state
        self._all_seen = initial_losses is not None
        self._steps = 0
        general.allow_several_passes()

    @property
    def tasks(self) -> int:
        """T, the number of tasks."""
        return len(self.names)

    @property
    def state(self) -> State:
        """What the method carries to the next step."""
        return self._state

    def place(self, state: State, steps: int) -> None:
        """Take over what was decided elsewhere, by the same method, in `steps` steps."""
        self._state, self._steps, self._all_seen = state, steps, False

    @property
    def weights(self) -> Tensor:
        """w(t+1): the weights of the next step, shape [T], detached; a copy."""
        return self._state.weights.clone()

    @property
    def initial_losses(self) -> Tensor:
        """L_i(0), shape [T]; NaN for a task not seen yet; a copy."""
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
        """Run one step of Algorithm 1: measure, decide, back-propagate Σ_i w_i(t) L_i(t).

        losses: T scalars, attached, ≥ 0, or one tensor of shape [T]; None for a task that is absent
            from the batch: it adds no gradient, and its weight stays.
        shared: W, the last shared layer: a module, a parameter or an iterable of parameters.
        features: the output or the input of `shared`, if at hand. Then heads that meet in one tensor are gone
            through once, all together, and so is the trunk, with the same result; a linear or convolutional
            `shared` serves all tasks in one product. Any other network is measured as if it were left out.
        trunk: all parameters that tasks share, W among them; needed, and used, by gradient surgery alone, whose
            weights are for them: each head then gets its own loss's gradient.
        scaler: a `torch.amp.GradScaler`, if one is in use: `.grad` is then scaled as it expects, and the
            norms are those of the unscaled gradients. Pass the losses unscaled.
        Returns the frozen `Balance` of this step; `.grad` of every parameter has the gradient added.
        Raises ValueError for losses of the wrong number, shape, sign or attachment, or a shared layer
        that a loss does not reach; NonFiniteLossError for NaN or infinity. Nothing has changed then.
        """
        listed = scalar_losses(losses, self.names)
        present = None not in listed
        # At a first step there is no initial loss yet; later all of them have to be there.
        complete = present and (self._all_seen or self._steps == 0)
        values = self._values(listed)
        self._follow(values)
        scale = None if scaler is None else scaler.scale(torch.ones((), device=values.device))
        measured = self._measure(listed, general.shared_parameters(shared), features, trunk, scale)
        norms, gramian = (
            None if found is None else found.to(values.dtype) for found in (measured.norms, measured.gramian)
        )
        signal = Signal(values, norms, gramian, self._steps + 1, complete)
        balance, state = self.method.balance(self._state, signal)
        measured.backward(balance.weights)
        self._steps += 1
        if scaler is None or norms is None:
            self._state = state
            self._all_seen |= present
        else:
            # Under a loss scale that is too large gradients overflow; the optimizer skips such a step,
            # and so do the weights.
            sound = (norms.isfinite() | values.isnan()).all()
            self._state = _choose(sound, state, self._state)
        return balance

    def _measure(
        self,
        losses: Sequence[Tensor | None],
        shared: Sequence[Tensor],
        features: Tensor | None,
        trunk: Iterable[Tensor] | None,
        scale: Tensor | None,
    ) -> general.Measured:
        """Measure what the method needs, and no more, in the cheapest way that the graph allows."""
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
        return general.General(losses, shared, self.names, scale, wants_norms=self._measures_norms)

    def retune(self, **hyperparameters: Any) -> None:
        """Change hyperparameters of the method from the next step on.

        Raises ValueError for an unknown name or a value out of range; nothing has changed then.
        """
        self.method = built(type(self.method), {**self.method.model_dump(), **hyperparameters})

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a resumed run needs: names, hyperparameters, w, L(0), moments."""
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
        """Take over a state of the same tasks and the same method.

        Raises ValueError if it belongs to other tasks or another method; nothing has changed then.
        """
        found = (state["method"], list(state["tasks"]))
        wanted = (self.method.name, list(self.names))
        if found != wanted:
            raise ValueError(
                f"The state should be of method {wanted[0]!r} and tasks {wanted[1]}. Found {found[0]!r} "
                f"and {found[1]}. Build the balancer with the same tasks and method."
            )
        self.method = type(self.method)(**state["hyperparameters"])
        self._all_seen = False
        self._steps = int(state["steps"])
        memory: Mapping[str, Tensor] = state["memory"]
        self._state = State(
            state["weights"].clone(),
            state["initial_losses"].clone(),
            {name: value.clone() for name, value in memory.items()},
        )

    def inherit(self, state: Mapping[str, Any]) -> None:
        """Take over what another balancer of the same tasks has learnt, as far as it means something here.

        state: a `state_dict`. Of the same method come weights and moments, of any method the initial losses;
        the hyperparameters stay this balancer's own. Raises ValueError if it belongs to other tasks.
        """
        fresh = self.state_dict()
        if state["method"] == self.method.name:
            memory = {name: state["memory"].get(name, value) for name, value in fresh["memory"].items()}
            own = {**state, "memory": memory}
        else:
            own = {**state, "method": self.method.name, "weights": fresh["weights"], "memory": fresh["memory"]}
        self.load_state_dict({**own, "hyperparameters": fresh["hyperparameters"]})

    def _values(self, losses: Sequence[Tensor | None]) -> Tensor:
        """Return L(t) as one detached vector, checked with a single wait for the device."""
        present = next(loss for loss in losses if loss is not None)
        nan = torch.full((), float("nan"), dtype=present.dtype, device=present.device)
        values = torch.stack([nan if loss is None else loss.detach().to(nan) for loss in losses])
        for name, loss, value in zip(self.names, losses, values.tolist(), strict=True):
            if loss is None:
                continue
            if not math.isfinite(value):
                raise NonFiniteLossError(name, value)
            if value < 0:
                raise ValueError(
                    f"The loss of {name!r} should be 0 or more, since rates are ratios of losses. "
                    f"Found {value}. Add a constant, or use a loss that is bounded below by 0."
                )
        self._check_first(losses, values)
        return values

    def _check_first(self, losses: Sequence[Tensor | None], values: Tensor) -> None:
        if self._all_seen:
            return
        known = self._state.initial_losses.tolist()
        for name, loss, value, initial in zip(self.names, losses, values.tolist(), known, strict=True):
            if loss is not None and math.isnan(initial) and value == 0:
                raise ZeroFirstLossError(name)

    def _follow(self, values: Tensor) -> None:
        """Move the state to the losses' device and precision."""
        s = self._state
        if s.weights.dtype == values.dtype and s.weights.device == values.device:
            return
        self._state = State(
            s.weights.to(values), s.initial_losses.to(values), {k: v.to(values) for k, v in s.memory.items()}
        )


class GradNorm(Balancer):
    """GradNorm for your own training loop (Chen et al., ICML 2018, Algorithm 1).

    tasks: how many (≥ 1), or their names.
    alpha: asymmetry α in [0, 5]: how strongly slow tasks are pulled up.
    learning_rate: step size of the weights, in (0, 1]; None takes 0.01 for "log", else the paper's 0.025.
    update: "log" moves w by factors exp(∓learning_rate); "adam" is the paper's, on w itself; "sgd".
    initial_losses: L_i(0) > 0, shape [T]; None takes the first call's losses.
    Raises ValueError for a value out of range.

    >>> balancer = GradNorm(tasks=["depth", "normals"], alpha=0.12)
    """

    def __init__(
        self,
        tasks: int | Sequence[str],
        alpha: float = 1.5,
        learning_rate: float | None = None,
        update: Update = "log",
        initial_losses: Sequence[float] | Tensor | None = None,
    ) -> None:
        if learning_rate is None:
            learning_rate = 0.01 if update == "log" else 0.025
        given = {"alpha": alpha, "update": update, "weight_learning_rate": learning_rate}
        super().__init__(tasks, built(GradNormMethod, given), initial_losses=initial_losses)


def built(method: type[Method], hyperparameters: Mapping[str, Any]) -> Method:
    """Return a method with these hyperparameters, or raise ValueError that says what is allowed."""
    try:
        return method(**hyperparameters)
    except ValidationError as error:
        message = explain(error, method, "Pass {key} to GradNorm or retune.")
        raise ValueError(message.replace("weight_learning_rate", "learning_rate")) from None


def _choose(flag: Tensor, yes: State, no: State) -> State:
    """Return `yes` or `no` by a flag on the device, without waiting for it."""
    return State(
        yes.weights.where(flag, no.weights),
        yes.initial_losses.where(flag, no.initial_losses),
        {name: value.where(flag, no.memory[name]) for name, value in yes.memory.items()},
    )
