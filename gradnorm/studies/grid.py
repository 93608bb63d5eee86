"""Random fixed weights against GradNorm (section 5.3 of the paper, Figure 4), and a search for good ones."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gradnorm.studies.base import Member, Result, Results, Study, of_seeds, one, spread

# How many times pairs are drawn anew for the interval of a correlation.
DRAWS = 2000
Vector = NDArray[np.float64]


class GridStudy(Study):
    """Networks with random fixed weights, beside GradNorm, GradNorm Static and equal weights.

    Each w_i is uniform in (0, 1), and all are scaled to sum to T. The k-th network takes the k-th seed in turn.
    count: N, how many such networks.
    """

    kind: ClassVar[str] = "grid"
    title: ClassVar[str] = "Random fixed weights"
    summary: ClassVar[str] = "Trains networks with random fixed weights and looks how near GradNorm's mean lies."

    count: int = Field(default=100, ge=2, le=900, title="Networks", description="With random fixed weights.")

    @property
    def size(self) -> int:
        """How many runs there will be."""
        return self.count + 3 * len(self.seeds)

    def wanted(self, results: Results) -> list[Member]:
        """Return GradNorm, equal weights and the random networks; then GradNorm Static where the mean is known."""
        members = [
            self.member(name, seed, method=method)
            for seed in self.seeds
            for name, method in (("GradNorm", "gradnorm"), ("equal weights", "equal"))
        ]
        tasks = len(members[0].spec.dataset.task_names)
        for number, weights in enumerate(draws(self.count, tasks), 1):
            seed = self.seeds[(number - 1) % len(self.seeds)]
            members.append(self.member(f"random {number}", seed, method="static", weights=_plain(weights)))
        for seed in self.seeds:
            gradnorm = results.get(f"GradNorm, seed {seed}")
            if gradnorm is not None and gradnorm.weights:
                weights = _plain(gradnorm.weights)
                members.append(self.member("GradNorm Static", seed, method="static", weights=weights))
        return members

    def report(self, results: Results) -> dict[str, Any]:
        """Return the points of Figure 4, their correlations with intervals, and each method's place among them.

        A point's change is the mean over tasks of 1 − L_i/L_i^GradNorm in percent, with GradNorm's run of the same
        seed; its distance is the Euclidean one from the mean weights of that run.
        """
        gradnorm = {seed: found for seed in self.seeds if (found := one(results, "GradNorm", seed)) and found.weights}
        points: list[dict[str, Any]] = []
        for number in range(1, self.count + 1):
            seed = self.seeds[(number - 1) % len(self.seeds)]
            found = one(results, f"random {number}", seed)
            if found and seed in gradnorm:
                points.append({"key": f"random {number}, seed {seed}", "seed": seed, **point(found, gradnorm[seed])})
        distances, changes = (np.array([each[name] for each in points]) for name in ("distance", "change"))
        return {
            "kind": self.kind,
            "points": points,
            "diverged": sum(not r.usable for key, r in results.items() if key.startswith("random")),
            "correlation": correlation(distances, changes),
            "methods": {
                name: self._place(results, name, gradnorm, [each["loss"] for each in points])
                for name in ("GradNorm", "GradNorm Static", "equal weights")
            },
        }

    def _place(
        self, results: Results, name: str, gradnorm: Mapping[int, Result], losses: Sequence[float]
    ) -> dict[str, Any]:
        """Return a method's losses, where it lies in Figure 4, and what part of the random ones it beats."""
        own = {seed: found for seed in self.seeds if (found := one(results, name, seed))}
        above = [sum(other > r.loss for other in losses) / len(losses) for r in own.values() if losses]
        return {
            "loss": spread([result.loss for result in own.values()]),
            "better_than": spread(above),
            **{
                axis: spread([point(own[seed], gradnorm[seed])[axis] for seed in own if seed in gradnorm])
                for axis in ("distance", "change")
            },
        }


class FixedStudy(Study):
    """Good fixed weights: GradNorm's means and a small random search around them.

    around: how many draws, each log-normal around the mean of the last half with standard deviation `breadth`.
    """

    kind: ClassVar[str] = "fixed"
    title: ClassVar[str] = "Find fixed weights"
    summary: ClassVar[str] = "Trains GradNorm once and searches around its mean weights; the answer is a line of code."

    around: int = Field(default=10, ge=0, le=200, title="Draws", description="Around GradNorm's mean weights.")
    breadth: float = Field(
        default=0.5, gt=0, le=5, title="Breadth", description="Of the search: standard deviation of log w."
    )

    @property
    def size(self) -> int:
        """How many runs there will be."""
        return (4 + self.around) * len(self.seeds)

    def wanted(self, results: Results) -> list[Member]:
        """Return GradNorm and equal weights; once GradNorm has ended on all seeds, the candidates."""
        names = (("GradNorm", "gradnorm"), ("equal weights", "equal"))
        members = [self.member(name, seed, method=method) for seed in self.seeds for name, method in names]
        members += [
            self.member(name, seed, method="static", weights=weights)
            for name, weights in self.candidates(results).items()
            for seed in self.seeds
        ]
        return members

    def candidates(self, results: Results) -> dict[str, tuple[float, ...]]:
        """Return the fixed weights to try, by name; none before GradNorm has ended on all seeds."""
        ended = [results.get(f"GradNorm, seed {seed}") for seed in self.seeds]
        known = [result for result in ended if result is not None and result.weights]
        if any(result is None for result in ended) or not known:
            return {}
        means, late = (
            np.mean([getattr(result, name) for result in known], axis=0) for name in ("weights", "late_weights")
        )
        found = {"mean of all steps": _plain(means), "mean of the last half": _plain(late)}
        random = np.random.default_rng(0)
        for number in range(1, self.around + 1):
            weights = late * np.exp(self.breadth * random.standard_normal(len(late)))
            found[f"draw {number}"] = _plain(weights * len(weights) / weights.sum())
        return found

    def report(self, results: Results) -> dict[str, Any]:
        """Return each candidate's losses, the best one, and the line of code that uses it."""
        candidates = self.candidates(results)
        losses = {name: spread([r.loss for r in of_seeds(results, name, self.seeds)]) for name in candidates}
        medians = {name: loss["median"] for name, loss in losses.items() if loss and loss["runs"] == len(self.seeds)}
        best = min(medians, key=lambda name: medians[name], default=None)
        terms = [f"{weight:.4g} * losses[{i}]" for i, weight in enumerate(candidates[best])] if best else []
        return {
            "kind": self.kind,
            "candidates": [{"name": name, "weights": candidates[name], "loss": losses[name]} for name in candidates],
            "methods": {
                name: spread([r.loss for r in of_seeds(results, name, self.seeds)])
                for name in ("GradNorm", "equal weights")
            },
            "best": best,
            "code": f"loss = {' + '.join(terms)}" if terms else None,
        }


def draws(count: int, tasks: int) -> Vector:
    """Return random weights, shape [count, T]: uniform, scaled to sum to T; the same at each call."""
    weights = np.random.default_rng(0).uniform(1e-3, 1, (count, tasks))
    return weights * tasks / weights.sum(1, keepdims=True)


def point(result: Result, gradnorm: Result) -> dict[str, Any]:
    """Return where a network lies in Figure 4: distance of its weights, change of its losses in percent."""
    distance = float(np.linalg.norm(np.subtract(result.weights, gradnorm.weights)))
    ratios = [own / theirs for own, theirs in zip(result.losses, gradnorm.losses, strict=True) if theirs > 0]
    change = 100 * (1 - statistics.fmean(ratios)) if ratios else 0.0
    return {"distance": distance, "change": change, "loss": result.loss, "weights": result.weights}


def correlation(x: Vector, y: Vector) -> dict[str, Any] | None:
    """Return Pearson's and Spearman's correlation, each with a 95 % bootstrap interval; None for under three pairs.

    x, y: shape [n].
    """
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    random, told = np.random.default_rng(0), dict[str, Any]()
    for name, (a, b) in {"pearson": (x, y), "spearman": (_ranks(x), _ranks(y))}.items():
        picks = random.integers(0, len(a), (DRAWS, len(a)))
        drawn = np.array([_pearson(a[pick], b[pick]) for pick in picks])
        low, high = np.nanquantile(drawn, [0.025, 0.975])
        told[name] = {"value": _pearson(a, b), "low": float(low), "high": float(high)}
    return told


def _pearson(x: Vector, y: Vector) -> float:
    x, y = x - x.mean(), y - y.mean()
    size = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return float((x * y).sum()) / size if size else math.nan


def _ranks(values: Vector) -> Vector:
    """Return ranks, those of equal values averaged."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return ((last - counts + 1 + last) / 2)[inverse]


def _plain(weights: Sequence[float] | Vector) -> tuple[float, ...]:
    return tuple(float(f"{weight:.6g}") for weight in weights)
