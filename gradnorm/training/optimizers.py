"""Stochastic gradient descent and Adam by torch's own arithmetic, without its compiler.

`torch.optim.Optimizer` imports `torch._dynamo` when it is first used, compiled or not: 1.6 s and 800 modules before
a run's first step. The classes here do the same steps by the functions beneath torch's classes, and exchange state
dicts with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, Protocol

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.sgd import sgd

MOMENTUM, BETAS, EPS = 0.9, (0.9, 0.999), 1e-8


class Optimizer(Protocol):
    """What moves a network's parameters; `torch.optim`'s classes are such, too.

    param_groups: one group, whose "lr" is read at each step.
    """

    param_groups: list[dict[str, Any]]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        ...

    def step(self) -> Any:
        """Move the parameters by their gradients."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return the state in the form of `torch.optim`."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state."""
        ...


def optimizer(kind: Literal["sgd", "adam"], parameters: Iterable[Tensor], learning_rate: float) -> Optimizer:
    """Return SGD with momentum 0.9, or Adam with torch's own moments."""
    return (_SGD if kind == "sgd" else _Adam)(parameters, learning_rate)


class _Base:
    """One group of parameters, and each one's state by its place among them."""

    def __init__(self, parameters: Iterable[Tensor], learning_rate: float) -> None:
        self._parameters = list(parameters)
        self._state: dict[int, dict[str, Any]] = {}
        self.param_groups: list[dict[str, Any]] = [{"lr": learning_rate}]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for parameter in self._parameters:
            if set_to_none or parameter.grad is None:
                parameter.grad = None
            else:
                parameter.grad.zero_()

    def state_dict(self) -> dict[str, Any]:
        """Return the state in the form of `torch.optim`."""
        group = {**self.param_groups[0], "params": list(range(len(self._parameters)))}
        return {"state": {i: dict(state) for i, state in self._state.items()}, "param_groups": [group]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over a copy of a state, of `torch.optim`'s class of the same name too."""
        (group,) = state_dict["param_groups"]
        self.param_groups = [{"lr": group["lr"]}]
        self._state = {i: self._copied(i, state) for i, state in state_dict["state"].items()}

    def _copied(self, place: int, state: Mapping[str, Any]) -> dict[str, Any]:
        like = self._parameters[place]
        # Adam's count of steps stays on the CPU, as torch has it.
        return {
            key: value if value is None else value.detach().clone() if key == "step" else value.to(like, copy=True)
            for key, value in state.items()
        }

    def _moved(self) -> dict[int, tuple[Tensor, Tensor]]:
        """Return the parameters that have a gradient, and it."""
        return {i: (p, p.grad) for i, p in enumerate(self._parameters) if p.grad is not None}


class _SGD(_Base):
    @torch.no_grad()
    def step(self) -> None:
        """v ← 0.9 v + g, p ← p − lr·v."""
        moved = self._moved()
        momenta: list[Tensor | None] = [self._state.get(i, {}).get("momentum_buffer") for i in moved]
        sgd(
            [p for p, _ in moved.values()],
            [g for _, g in moved.values()],
            momenta,
            weight_decay=0.0,
            momentum=MOMENTUM,
            lr=self.param_groups[0]["lr"],
            dampening=0.0,
            nesterov=False,
            maximize=False,
        )
        for i, momentum in zip(moved, momenta, strict=True):
            self._state[i] = {"momentum_buffer": momentum}


class _Adam(_Base):
    @torch.no_grad()
    def step(self) -> None:
        """Adam's step with bias correction (Kingma and Ba, 2015)."""
        moved = self._moved()
        for i, (parameter, _) in moved.items():
            if i not in self._state:
                self._state[i] = {
                    "step": torch.tensor(0.0),
                    "exp_avg": torch.zeros_like(parameter),
                    "exp_avg_sq": torch.zeros_like(parameter),
                }
        states = [self._state[i] for i in moved]
        adam(
            [p for p, _ in moved.values()],
            [g for _, g in moved.values()],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            amsgrad=False,
            beta1=BETAS[0],
            beta2=BETAS[1],
            lr=self.param_groups[0]["lr"],
            weight_decay=0.0,
            eps=EPS,
            maximize=False,
        )
