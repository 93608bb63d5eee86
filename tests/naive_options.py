"""GradNorm with every option of the package, by T separate backward passes and plain Python arithmetic in float64.

It lives here to be compared with; it shares no code with the package.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Numbers = list[float]


@dataclass(frozen=True)
class Options:
    """What the method is asked to do; the names are those of `GradNormMethod`."""

    heads: str = "weighted"
    update: str = "log"
    every: int = 1
    priorities: Sequence[float] = ()
    least: float = 0.0
    most: float = 64.0
    alpha: float = 1.5
    rate: float = 0.05
    half_life: float = 4.0


class NaiveOptions:
    """Weights of T tasks, step by step. weights: w(t) for the next step."""

    def __init__(self, tasks: int, options: Options) -> None:
        self.options, self.steps = options, 0
        self.weights = [1.0] * tasks
        self._first: list[float | None] = [None] * tasks
        # Of adam: m, v and the number of steps; of closed: what each task has asked for, and its norms.
        self._moments = [(0.0, 0.0, 0)] * tasks
        self._asked: list[Numbers] = [[] for _ in range(tasks)]
        self._norms: list[Numbers] = [[] for _ in range(tasks)]

    def backward(
        self, losses: Sequence[Tensor | None], shared: Sequence[Tensor], trunk: Sequence[Tensor], heads: Sequence[Any]
    ) -> dict[str, Any]:
        """Fill `.grad` of trunk, W and heads, and move the weights; return what the step measured.

        shared: W, or an activation.  trunk: all parameters that tasks share.  heads: for each task its own parameters.
        """
        used, present = list(self.weights), [i for i, loss in enumerate(losses) if loss is not None]
        norms: dict[int, float] = {}
        for i in present:
            inputs = [*trunk, *heads[i]]
            grads = torch.autograd.grad(losses[i], inputs, retain_graph=True, allow_unused=True)
            at_W = torch.autograd.grad(losses[i], list(shared), retain_graph=True)
            norms[i] = math.sqrt(sum(float((g**2).sum()) for g in at_W))
            for k, (p, g) in enumerate(zip(inputs, grads, strict=True)):
                own = k >= len(trunk) and self.options.heads == "own"
                if g is not None:
                    part = g if own else used[i] * g
                    p.grad = part if p.grad is None else p.grad + part
        values = {i: float(losses[i].detach()) for i in present}
        for i in present:
            self._first[i] = values[i] if self._first[i] is None else self._first[i]
        found: dict[str, Any] = {"weights": used, "gradient_norms": {i: used[i] * norms[i] for i in present}}
        if self.steps % self.options.every == 0:
            found |= self._decide(present, {i: values[i] / self._first[i] for i in present}, norms)
        self.steps += 1
        return found

    def _decide(self, present: list[int], ratios: dict[int, float], norms: dict[int, float]) -> dict[str, Any]:
        o, w = self.options, self.weights
        T, n = len(w), len(present)
        p = o.priorities or [1.0] * T
        wanted = {i: p[i] * (ratios[i] / (sum(ratios.values()) / n)) ** o.alpha for i in present}
        G = {i: w[i] * norms[i] for i in present}
        mean, share = sum(G.values()) / n, sum(wanted.values()) / n
        targets = {i: wanted[i] * mean / (1 if o.update in ("adam", "sgd") else share) for i in present}
        proposed = self._proposed(present, wanted, G, targets, norms)
        proposed = {i: min(max(value, 1e-8), 1e8) for i, value in proposed.items()}
        left = T - sum(w[i] for i in range(T) if i not in present)
        scale = left / sum(proposed.values())
        within = water({i: value * scale for i, value in proposed.items()}, o.least, o.most)
        self.weights = [within.get(i, w[i]) for i in range(T)]
        return {"targets": targets, "imbalance": sum(abs(G[i] - targets[i]) for i in present)}

    def _proposed(self, present: list[int], asked: Any, G: Any, targets: Any, norms: Any) -> dict[int, float]:
        o, w = self.options, self.weights
        if o.update == "closed":
            for i in present:
                self._asked[i].append(math.log(asked[i]))
                self._norms[i].append(norms[i] ** 2)
            geometric = {i: math.exp(self._smooth(self._asked[i])) for i in present}
            return {i: geometric[i] / math.sqrt(self._smooth(self._norms[i])) for i in present}
        slopes = {i: math.copysign(norms[i], G[i] - targets[i]) if G[i] != targets[i] else 0.0 for i in present}
        if o.update == "log":
            return {i: w[i] * math.exp(-o.rate * ((g > 0) - (g < 0))) for i, g in slopes.items()}
        if o.update == "sgd":
            return {i: w[i] - o.rate * g for i, g in slopes.items()}
        return {i: w[i] - self._adam(i, g) for i, g in slopes.items()}

    def _smooth(self, values: Numbers) -> float:
        """Return the mean in which what was measured a half-life earlier counts half."""
        age = [self.options.every * k for k in reversed(range(len(values)))]
        factors = [0.5 ** (steps / self.options.half_life) for steps in age]
        return sum(f * value for f, value in zip(factors, values, strict=True)) / sum(factors)

    def _adam(self, i: int, g: float) -> float:
        m, v, k = self._moments[i]
        self._moments[i] = m, v, k = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g, k + 1
        return self.options.rate * (m / (1 - 0.9**k)) / (math.sqrt(v / (1 - 0.999**k)) + 1e-8)


def water(weights: dict[int, float], least: float, most: float) -> dict[int, float]:
    """Return c·w_i, brought into [least, most], with the c that keeps the sum: by trying who is at which bound.

    A bound that the sum does not allow gives way to the mean.
    """
    total = sum(weights.values())
    mean = total / len(weights)
    if not least < mean < most:
        return dict.fromkeys(weights, mean)
    for sides in itertools.product((0, 1, 2), repeat=len(weights)):
        at = dict(zip(weights, sides, strict=True))
        free = sum(w for i, w in weights.items() if at[i] == 1)
        rest = total - sum(least if side == 0 else most for side in sides if side != 1)
        if free <= 0 or rest <= 0:
            continue
        c = rest / free
        lies = {i: 0 if c * w < least else 2 if c * w > most else 1 for i, w in weights.items()}
        if lies == at:
            return {i: (least, c * w, most)[at[i]] for i, w in weights.items()}
    raise AssertionError(f"no weights in [{least}, {most}] sum to {total}")
