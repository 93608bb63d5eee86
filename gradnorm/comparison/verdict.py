"""What came of a run in a sentence or two, made of its numbers alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gradnorm.comparison.groups import Group, grouped
from gradnorm.comparison.loading import LOST, ComparedRun
from gradnorm.runs.records import Evaluation

# Σ that differ by less are called equal, and so are loss ratios.
_DRAW, _SAME = 0.01, 0.005
# A task with as much of its first loss left has learnt nothing.
_NOTHING = 0.98
# So much further apart the pulls of a rival have to be for being named as the reason.
_APART = 2.0
_BY_HAND = "Weights by hand"
# So many rivals are named.
_NAMED = 3

Pulls = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Verdict:
    """What came of a run.

    head: one sentence; "" while it goes on.  more: what else there is to say.
    wants_equal: whether the same run with equal weights would tell more.
    """

    head: str
    more: str = ""
    wants_equal: bool = False

    @property
    def text(self) -> str:
        """All sentences."""
        return f"{self.head} {self.more}".strip()


@dataclass(frozen=True)
class _Result:
    """What came of a group: means over its runs. ratios: L_i/L_i(0) on the test set.  pulls: G_i, or nothing."""

    name: str
    group: Group
    total: float
    ratios: tuple[float, ...]
    pulls: tuple[float, ...]


def verdict(run: ComparedRun, others: Sequence[ComparedRun], pulls: Pulls) -> Verdict:
    """Return the verdict on a run that has ended, beside others that began alike.

    pulls: by run, the mean gradient norm of each task at W; nothing where it was not measured.
    """
    if not run.info.ended:
        return Verdict("")
    rivals = [other for other in others if other.info.ended and other.info.tasks == run.info.tasks]
    if len(run.info.tasks) == 1 or run.info.spec.get("method") == "single":
        return Verdict(_alone(run))
    together = [each for each in (run, *rivals) if each.info.spec.get("method") != "single"]
    sound = [each for each in together if each.info.state not in LOST and _trained(each)]
    told = [_lost(each, _label(each, together)) for each in together if each not in sound]
    step = _common(sound)
    if step is None:
        return Verdict(" ".join(told) or "The runs have no test in common, so there is no verdict.")
    results = sorted(_results(sound, step, pulls), key=lambda result: result.total)
    when = "" if all(each.info.state == "finished" for each in sound) else f" at step {step:,}"
    head, more = _single(results[0], when) if len(results) == 1 else _race(results, when)
    return Verdict(head, " ".join([*more, *told]), _wants_equal(run, together))


def _trained(run: ComparedRun) -> list[Evaluation]:
    tests = [each for each in run.evaluations if each.step > run.info.forked_at]
    return [each for each in tests if math.isfinite(each.task_normalized_loss)]


def _common(runs: Sequence[ComparedRun]) -> int | None:
    """Return the newest step that all of them have tested."""
    tested = [{each.step for each in _trained(run)} for run in runs]
    return max(set.intersection(*tested), default=None) if tested else None


def _wants_equal(run: ComparedRun, together: Sequence[ComparedRun]) -> bool:
    equal = any(each.info.spec.get("method") == "equal" for each in together)
    several = len({each.seed for each in together}) > 1
    return not (equal or several or run.info.recorded or run.info.forked_at or run.info.state in LOST)


def _results(runs: Sequence[ComparedRun], step: int, pulls: Pulls) -> list[_Result]:
    results: list[_Result] = []
    for group in grouped([replace(run, evaluations=_at(run, step)) for run in runs]):
        tests = [run.evaluations[0] for run in group.runs]
        measured = [pulls[run.info.run] for run in group.runs if pulls.get(run.info.run)]
        ratios = _means([test.loss_ratios for test in tests])
        results.append(_Result(_name(group), group, sum(ratios), ratios, _means(measured)))
    return results


def _name(group: Group) -> str:
    moved = group.spec.get("method") == "static" and any(change.key == "weights" for change in group.runs[0].changes)
    return _BY_HAND if moved else group.label


def _at(run: ComparedRun, step: int) -> tuple[Evaluation, ...]:
    return tuple(each for each in run.evaluations if each.step == step)


def _means(rows: Sequence[Sequence[float]]) -> tuple[float, ...]:
    return tuple(sum(column) / len(rows) for column in zip(*rows, strict=True))


def _label(run: ComparedRun, together: Sequence[ComparedRun]) -> str:
    return next(group.label for group in grouped(together) if run in group.runs) if len(together) > 1 else "This run"


def _alone(run: ComparedRun) -> str:
    """Say what became of a task that is alone, or trained alone."""
    tests = _trained(run)
    if run.info.state in LOST or not tests:
        return _lost(run, "This run")
    single = run.info.spec.get("method") == "single"
    task = int(run.info.spec.get("task", 1)) - 1 if single else 0
    why = "It was trained alone, so there" if single else "There is one task, so there"
    return f"{run.info.tasks[task]} has {_left(tests[-1].loss_ratios[task])}. {why} was nothing to balance."


def _lost(run: ComparedRun, name: str) -> str:
    state, steps = run.info.state, run.info.steps
    if state in LOST:
        return f"{name} {state} at step {steps:,}, so it has no result."
    return f"{name} ended at step {steps:,}, before its first test, so it has no result."


def _single(result: _Result, when: str) -> tuple[str, Sequence[str]]:
    """Say how the tasks of the only run stand: a sentence, and others."""
    names, ratios = result.group.tasks, result.ratios
    best, worst = (ratios.index(pick(ratios)) for pick in (min, max))
    head = f"{result.name} ends{when} at Σ {result.total:.3g}, having begun at {len(ratios)}"
    if ratios[best] > _NOTHING:
        return f"{head}: no task learnt anything.", ()
    if ratios[worst] - ratios[best] < _SAME:
        return f"{head}: each task has {_left(ratios[best])}.", ()
    last = (
        f"{names[worst]} learnt nothing" if ratios[worst] > _NOTHING else f"{names[worst]} least, {ratios[worst]:.2g}"
    )
    return f"{head}: {names[best]} learnt most and has {_left(ratios[best])}, {last}.", ()


def _race(results: Sequence[_Result], when: str) -> tuple[str, Sequence[str]]:
    """Say who won and by how much; then which task gained, which lost, and why. results: the best first."""
    best, *others = results
    rival = _rival(best, others)
    against = ", ".join(f"{each.name} {each.total:.3g}" for each in others[:_NAMED])
    more = f" and {len(others) - _NAMED} more up to {others[-1].total:.3g}" if len(others) > _NAMED else ""
    start = ", from the same start" if _same_start(results) else ""
    if others[0].total - best.total < _DRAW * best.total:
        head = f"A draw{when}{_seeds(best)}: {best.name} Σ {best.total:.3g}, {against}{more}{start}."
    else:
        head = f"{best.name} won{when}{_seeds(best)}: Σ {best.total:.3g} against {against}{more}{start}."
    return head, [sentence for sentence in (_tasks(best, rival), _why(best, rival)) if sentence]


def _rival(best: _Result, others: Sequence[_Result]) -> _Result:
    """Return whom the best is measured against: hand and GradNorm by each other, all else by equal weights."""
    hand = next((each for each in (best, *others) if each.name == _BY_HAND), None)
    if hand is not None and hand is not best:
        return hand
    kinds = ("gradnorm", "equal") if hand is not None else ("equal",)
    return next((each for kind in kinds for each in others if each.group.spec.get("method") == kind), others[0])


def _tasks(best: _Result, rival: _Result) -> str:
    """Say which task gained most, what others lost, and which learnt nothing."""
    names = best.group.tasks
    gains = [theirs - own for own, theirs in zip(best.ratios, rival.ratios, strict=True)]
    most = gains.index(max(gains))
    parts: list[str] = []
    if gains[most] > _SAME:
        parts.append(
            f"beside {rival.name}, {names[most]} gained most (it has {_left(best.ratios[most])} instead of "
            f"{rival.ratios[most]:.2g})"
        )
    losers = [f"{names[i]} lost {-gain:.2g}" for i, gain in enumerate(gains) if gain < -_SAME]
    parts += [_listed(losers)] if losers else ["no task lost"]
    dull = [names[i] for i, ratio in enumerate(best.ratios) if min(ratio, rival.ratios[i]) > _NOTHING]
    parts += [f"{_listed(dull)} learnt nothing in either"] if dull else []
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def _why(best: _Result, rival: _Result) -> str:
    """Name the rival's unequal pulls on W, if they were so and those of the best were not."""
    if not best.pulls or not rival.pulls or min(*best.pulls, *rival.pulls) <= 0:
        return ""
    own, theirs = (max(pulls) / min(pulls) for pulls in (best.pulls, rival.pulls))
    if theirs < _APART * own:
        return ""
    names = best.group.tasks
    loud, quiet = (names[rival.pulls.index(pick(rival.pulls))] for pick in (max, min))
    return (
        f"Why: with {rival.name} the gradient of {loud} was {theirs:.2g} times that of {quiet} at the shared layer; "
        f"with {best.name} the largest was {own:.2g} times the smallest."
    )


def _same_start(results: Sequence[_Result]) -> bool:
    keys = ("dataset", "network", "width", "depth", "channels", "initialization")
    starts = [(each.group.seeds, [each.group.spec.get(key) for key in keys]) for each in results]
    return all(start == starts[0] for start in starts) and bool(starts[0][0])


def _seeds(result: _Result) -> str:
    count = len(result.group.runs)
    return f" on average over {count} seeds" if count > 1 else ""


def _left(ratio: float) -> str:
    return f"{ratio:.2g} of its first test loss left"


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
