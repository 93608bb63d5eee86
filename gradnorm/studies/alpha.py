"""Which α: one run for each α and seed, beside equal weights (sections 5.2 and 5.4 of the paper, Figures 5 and 7)."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field, field_validator

from gradnorm.common.declarations import numbers
from gradnorm.studies.base import Member, Results, Study, metrics_of, of_seeds, one, spread

# A loss of so many times that of the best α, at the median, counts as unstable, as does a run without a loss.
UNSTABLE = 2.0
# Of adaptive: what part of the values goes on to the next round, and how many rounds there are at most.
KEPT, ROUNDS = 0.5, 3


class AlphaStudy(Study):
    """GradNorm at several α, on the same seeds as equal weights.

    alphas: each in [0, 5], different.
    adaptive: successive halving. All values get a quarter of the steps, the better half of them half of the steps,
        and the better half of these all steps.
    """

    kind: ClassVar[str] = "alpha"
    title: ClassVar[str] = "α sweep"
    summary: ClassVar[str] = "Trains at several α and compares them with equal weights."

    alphas: tuple[float, ...] = Field(
        default=(0.0, 0.12, 0.5, 1.0, 2.0), title="α", description="Values in [0, 5], as in 0,0.5,1.5."
    )
    adaptive: bool = Field(
        default=False,
        title="Drop bad values early",
        description="Successive halving: short runs first, the better half goes on.",
    )

    @field_validator("alphas", mode="before")
    @classmethod
    def _parse_alphas(cls, value: Any) -> Any:
        return numbers(value, "alphas")

    @field_validator("alphas")
    @classmethod
    def _sound_alphas(cls, alphas: tuple[float, ...]) -> tuple[float, ...]:
        if not alphas or len(set(alphas)) < len(alphas) or not all(0 <= alpha <= 5 for alpha in alphas):
            raise ValueError(f"alphas should be different numbers in [0, 5]. Found {alphas}. Give 0,0.5,1.5, say")
        return alphas

    @property
    def size(self) -> int:
        """How many runs there will be."""
        return (sum(self._plan.values()) + 1) * len(self.seeds)

    @property
    def steps(self) -> int:
        """How many steps these runs take, all together."""
        own = sum(steps * alphas for steps, alphas in self._plan.items())
        return (own + int(self.base["steps"])) * len(self.seeds)

    @property
    def _plan(self) -> dict[int, int]:
        """How many α each round has, by its steps, which grow."""
        steps, alphas, plan = int(self.base["steps"]), len(self.alphas), dict[int, int]()
        if not self.adaptive:
            return {steps: alphas}
        for length in sorted({max(1, steps // 2**k) for k in range(ROUNDS)}):
            plan[length], alphas = alphas, max(1, round(alphas * KEPT))
        return plan

    def wanted(self, results: Results) -> list[Member]:
        """Return equal weights and each α, and in an adaptive study the rounds that can be named by now."""
        members = [self.member("equal weights", seed, method="equal") for seed in self.seeds]
        for steps, alphas in self.rounds(results):
            members += [
                # Its steps are given: those of epochs would be the same in each round.
                self.member(self._key(alpha, steps), seed, method="gradnorm", alpha=alpha, steps=steps, epochs=0)
                for alpha in alphas
                for seed in self.seeds
            ]
        return members

    def rounds(self, results: Results) -> list[tuple[int, Sequence[float]]]:
        """Return the steps and the α of each round that can be named by now."""
        (first, _), *later = self._plan.items()
        rounds: list[tuple[int, Sequence[float]]] = [(first, self.alphas)]
        for steps, kept in later:
            before, alphas = rounds[-1]
            keys = {alpha: self._key(alpha, before) for alpha in alphas}
            if any(f"{key}, seed {seed}" not in results for key in keys.values() for seed in self.seeds):
                break
            ranked = sorted(alphas, key=lambda alpha: self._loss(results, keys[alpha]))
            rounds.append((steps, tuple(sorted(ranked[:kept]))))
        return rounds

    def _key(self, alpha: float, steps: int) -> str:
        # All digits, so that no two share a name.
        name = f"α {alpha!r}".removesuffix(".0")
        return name if steps == self.base["steps"] else f"{name} for {steps:,} steps"

    def report(self, results: Results) -> dict[str, Any]:
        """Return a row for each α, the gain over equal weights, what is unstable, and a suggestion."""
        equal = of_seeds(results, "equal weights", self.seeds)
        rows = [self._row(results, alpha) for alpha in self.alphas]
        # The median of the seeds that did not break off would flatter an α at which others did.
        whole = [row for row in rows if row["loss"] and row["loss"]["runs"] == row["ended"] and not row["dropped_at"]]
        known = {row["alpha"]: row["loss"]["median"] for row in whole}
        best = min(known, key=lambda alpha: known[alpha]) if known else None
        for row in rows:
            broken = row["ended"] > (row["loss"]["runs"] if row["loss"] else 0)
            far = best is not None and row["alpha"] in known and known[row["alpha"]] > UNSTABLE * known[best]
            row["unstable"] = broken or far
        unstable = [row["alpha"] for row in rows if row["unstable"]]
        limit = min((a for a in unstable if best is not None and a > best), default=None)
        return {
            "kind": self.kind,
            "equal": spread([result.loss for result in equal]),
            "alphas": rows,
            "unstable_from": limit,
            "suggested": None if best is None else self._suggestion(results, best, known),
        }

    def _row(self, results: Results, alpha: float) -> dict[str, Any]:
        last = [steps for steps, alphas in self.rounds(results) if alpha in alphas][-1]
        key, full = self._key(alpha, last), last == self.base["steps"]
        # The newest round may still be under way, and then nothing has been dropped from it.
        dropped = None if full or last == self.rounds(results)[-1][0] else last
        found = of_seeds(results, key, self.seeds)
        gains = [
            1 - result.loss / equal.loss
            for seed in self.seeds
            if full and (result := one(results, key, seed)) and (equal := one(results, "equal weights", seed))
        ]
        return {
            "alpha": alpha,
            "loss": spread([result.loss for result in found]),
            "gain": spread(gains),
            "ended": sum(f"{key}, seed {seed}" in results for seed in self.seeds),
            "steps": last,
            "dropped_at": dropped,
            "weights": [statistics.fmean(column) for column in zip(*[r.weights for r in found], strict=True)],
            "metrics": metrics_of(found),
        }

    def _suggestion(self, results: Results, best: float, known: dict[float, float]) -> dict[str, Any]:
        others = [alpha for alpha in known if alpha != best]
        second, steps = min(others, key=lambda alpha: known[alpha], default=None), self.rounds(results)[-1][0]
        pairs = [
            (a.loss, b.loss)
            for seed in self.seeds
            if second is not None
            and (a := one(results, self._key(best, steps), seed))
            and (b := one(results, self._key(second, steps), seed))
        ]
        wins = sum(a < b for a, b in pairs)
        rest = (
            f" It was below α {second:g}, the next best, on {wins} of {len(pairs)} seeds." if second is not None else ""
        )
        return {"alpha": best, "why": f"The lowest median of the test loss, {known[best]:.4g}.{rest}"}

    def _loss(self, results: Results, key: str) -> float:
        found = of_seeds(results, key, self.seeds)
        # A seed that diverged counts as the worst there can be.
        return statistics.median([r.loss for r in found]) if len(found) == len(self.seeds) else float("inf")
