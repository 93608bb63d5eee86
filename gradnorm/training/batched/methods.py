"""The weighting methods of N runs, decided together: one call for all runs of a method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradnorm.balancer.balancer import Balancer
from gradnorm.methods.base import Balance, Method, Needs, Signal, State


@dataclass
class _MethodGroup:
    """Runs of one method, which may differ in numbers such as α. rows: which; state: of shape [n, T]."""

    rows: list[int]
    seeds: tuple[int, ...]
    method: Method
    state: State
    balance: Balance | None = None


class BatchedMethods:
    """Decides the weights of N balancers of the same tasks, none of which wants a Gramian.

    balancers: those of the runs; `settle` brings them up to date.  like: says precision and device.
    """

    def __init__(self, balancers: Sequence[Balancer], like: Tensor) -> None:
        self._balancers = balancers
        kinds: dict[Any, list[int]] = {}
        for row, balancer in enumerate(balancers):
            kinds.setdefault(_kind(balancer.method), []).append(row)
        own = [balancer.method.heads == "own" for balancer in balancers]
        self._own = torch.tensor(own, device=like.device)[:, None] if any(own) else None
        self._groups = [_group(rows, [balancers[row] for row in rows], like) for rows in kinds.values()]

    def before(self, losses: Tensor, step: int) -> Tensor:
        """Return w(t), shape [N, T], from L(t) of that shape; methods that need no norms have decided then."""
        used: list[Tensor] = []
        for group in self._groups:
            if group.method.needs is Needs.LOSSES:
                self._decide(group, Signal(_rows(losses, group.rows), step=step, complete=True, seed=group.seeds))
                assert group.balance is not None
                used.append(group.balance.weights)
            else:
                used.append(group.state.weights)
        if len(used) == 1:
            return used[0]
        return torch.cat(used)[_inverse([row for group in self._groups for row in group.rows])]

    def after(self, losses: Tensor, norms: Tensor | None, step: int) -> list[dict[str, Any]]:
        """Return the numbers of the step for each run; `StepRecord`'s fields by name, but for step and alpha.

        norms: G_i(t) = ‖∇_W w_i L_i‖₂, shape [N, T]; None where they were not measured.
        """
        of_runs: list[dict[str, Any]] = [{} for _ in losses]
        for group in self._groups:
            G = None if norms is None else _rows(norms, group.rows)
            if group.method.needs is Needs.NORMS:
                own = None if G is None else G / group.state.weights
                self._decide(group, Signal(_rows(losses, group.rows), own, None, step, True, group.seeds))
            assert group.balance is not None
            measured = group.balance.with_norms(G)
            for row, numbers in zip(group.rows, measured.numbers_of_runs(), strict=True):
                of_runs[row] = numbers
        return of_runs

    def due(self, step: int) -> bool:
        """Whether any method needs the norms of step t."""
        return any(group.method.needs is Needs.NORMS and group.method.due(step) for group in self._groups)

    def shares(self, weights: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return what the losses are multiplied by for the heads, and what more for the trunk: None for 1.

        weights: w(t), shape [N, T].
        """
        if self._own is None:
            return weights, None
        return weights.where(~self._own, 1.0), weights.where(self._own, 1.0)

    @staticmethod
    def _decide(group: _MethodGroup, signal: Signal) -> None:
        group.balance, group.state = group.method.balance(group.state, signal)

    def settle(self, steps: int) -> None:
        """Hand each balancer its state after `steps` steps."""
        for group in self._groups:
            for i, row in enumerate(group.rows):
                s = group.state
                memory = {name: value[i].clone() for name, value in s.memory.items()}
                state = State(s.weights[i].clone(), s.initial_losses[i].clone(), memory)
                self._balancers[row].place(state, steps)


def _kind(method: Method) -> Any:
    """Return what runs must have in common to be decided in one call: all but the numbers that multiply."""
    fixed = {name: value for name, value in method if not isinstance(value, float)}
    return type(method), tuple(fixed.items())


def _group(rows: list[int], balancers: Sequence[Balancer], like: Tensor) -> _MethodGroup:
    states = [balancer.state for balancer in balancers]
    memory = {name: torch.stack([state.memory[name].to(like) for state in states]) for name in states[0].memory}
    weights = torch.stack([state.weights.to(like) for state in states])
    state = State(weights, torch.stack([state.initial_losses.to(like) for state in states]), memory)
    first, columns = balancers[0].method, dict[str, Tensor]()
    for name, value in first:
        values = [getattr(balancer.method, name) for balancer in balancers]
        if isinstance(value, float) and any(other != value for other in values):
            columns[name] = weights.new_tensor(values)[:, None]
    # Not validated on purpose: a column of numbers that were validated one by one.
    seeds = tuple([balancer.seed for balancer in balancers])
    return _MethodGroup(rows, seeds, first.model_copy(update=columns), state)


def _rows(values: Tensor, rows: list[int]) -> Tensor:
    return values if len(rows) == len(values) else values[rows]


def _inverse(order: Sequence[int]) -> list[int]:
    """Return where each of 0 … N−1 stands in `order`."""
    return sorted(range(len(order)), key=order.__getitem__)
