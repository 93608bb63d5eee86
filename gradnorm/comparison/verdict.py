"""What came of a run in a sentence or two, made of its numbers alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gradnorm.common.texts import Text, filled, joined, later
from gradnorm.comparison.groups import Group, grouped
from gradnorm.comparison.loading import LOST, ComparedRun
from gradnorm.config.variants import task_texts
from gradnorm.runs.records import Evaluation

# Σ that differ by less are called equal, and so are loss ratios.
_DRAW, _SAME = 0.01, 0.005
# A task with as much of its first loss left has learnt nothing.
_NOTHING = 0.98
# So much further apart the pulls of a rival have to be for being named as the reason.
_APART = 2.0
_CAPITALS = {"task {number}": later("Task {number}")}
_BY_HAND = filled("Weights by hand")
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
        return Verdict(joined(told, " ") or filled("The runs have no test in common, so there is no verdict."))
    results = sorted(_results(sound, step, pulls), key=lambda result: result.total)
    when = "" if all(each.info.state == "finished" for each in sound) else filled(" at step {step:,}", step=step)
    head, more = _single(results[0], when) if len(results) == 1 else _race(results, when)
    return Verdict(head, joined([*more, *told], " "), _wants_equal(run, together))


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
    if len(together) == 1:
        return filled("This run")
    return next(group.label for group in grouped(together) if run in group.runs)


def _alone(run: ComparedRun) -> Text:
    """Say what became of a task that is alone, or trained alone."""
    tests = _trained(run)
    if run.info.state in LOST or not tests:
        return _lost(run, filled("This run"))
    single = run.info.spec.get("method") == "single"
    task = int(run.info.spec.get("task", 1)) - 1 if single else 0
    why = (
        filled("It was trained alone, so there was nothing to balance.")
        if single
        else filled("There is one task, so there was nothing to balance.")
    )
    has = filled(
        "{task} has {left}.",
        task=task_texts(run.info.spec, run.info.tasks)[task],
        left=_left(tests[-1].loss_ratios[task]),
    )
    return joined([has, why], " ")


def _lost(run: ComparedRun, name: str) -> Text:
    state, steps = run.info.state, run.info.steps
    if state in LOST:
        found = Text(state, {})
        return filled("{name} {state} at step {steps:,}, so it has no result.", name=name, state=found, steps=steps)
    return filled("{name} ended at step {steps:,}, before its first test, so it has no result.", name=name, steps=steps)


def _single(result: _Result, when: str) -> tuple[Text, Sequence[Text]]:
    """Say how the tasks of the only run stand: a sentence, and others."""
    names, ratios = result.group.tasks, result.ratios
    best, worst = (ratios.index(pick(ratios)) for pick in (min, max))
    head = filled(
        "{name} ends{when} at Σ {total:.3g}, having begun at {count}",
        name=result.name,
        when=when,
        total=result.total,
        count=len(ratios),
    )
    if ratios[best] > _NOTHING:
        return filled("{head}: no task learnt anything.", head=head), ()
    if ratios[worst] - ratios[best] < _SAME:
        return filled("{head}: each task has {left}.", head=head, left=_left(ratios[best])), ()
    last = (
        filled("{task} learnt nothing", task=names[worst])
        if ratios[worst] > _NOTHING
        else filled("{task} least, {ratio:.2g}", task=names[worst], ratio=ratios[worst])
    )
    return filled(
        "{head}: {task} learnt most and has {left}, {last}.",
        head=head,
        task=names[best],
        left=_left(ratios[best]),
        last=last,
    ), ()


def _race(results: Sequence[_Result], when: str) -> tuple[Text, Sequence[Text]]:
    """Say who won and by how much; then which task gained, which lost, and why. results: the best first."""
    best, *others = results
    rival = _rival(best, others)
    against = [joined([each.name, filled("{total:.3g}", total=each.total)], " ") for each in others[:_NAMED]]
    told = {
        "name": best.name,
        "when": when,
        "seeds": _seeds(best),
        "total": best.total,
        "others": joined(against, ", "),
        "more": filled(" and {count} more up to {total:.3g}", count=len(others) - _NAMED, total=others[-1].total)
        if len(others) > _NAMED
        else "",
        "start": filled(", from the same start") if _same_start(results) else "",
    }
    if others[0].total - best.total < _DRAW * best.total:
        head = filled("A draw{when}{seeds}: {name} Σ {total:.3g}, {others}{more}{start}.", **told)
    else:
        head = filled("{name} won{when}{seeds}: Σ {total:.3g} against {others}{more}{start}.", **told)
    return head, [sentence for sentence in (_tasks(best, rival), _why(best, rival)) if sentence]


def _rival(best: _Result, others: Sequence[_Result]) -> _Result:
    """Return whom the best is measured against: hand and GradNorm by each other, all else by equal weights."""
    hand = next((each for each in (best, *others) if each.name == _BY_HAND), None)
    if hand is not None and hand is not best:
        return hand
    kinds = ("gradnorm", "equal") if hand is not None else ("equal",)
    return next((each for kind in kinds for each in others if each.group.spec.get("method") == kind), others[0])


def _tasks(best: _Result, rival: _Result) -> Text:
    """Say which task gained most, what others lost, and which learnt nothing."""
    names = best.group.tasks
    gains = [theirs - own for own, theirs in zip(best.ratios, rival.ratios, strict=True)]
    most = gains.index(max(gains))
    parts: list[Text] = []
    if gains[most] > _SAME:
        parts.append(
            filled(
                "Beside {rival}, {task} gained most (it has {left} instead of {ratio:.2g})",
                rival=rival.name,
                task=names[most],
                left=_left(best.ratios[most]),
                ratio=rival.ratios[most],
            )
        )
    lost = [(names[i], -gain) for i, gain in enumerate(gains) if gain < -_SAME]
    if lost and not parts:
        lost[0] = (_capital(lost[0][0]), lost[0][1])
    losers = [filled("{task} lost {loss:.2g}", task=task, loss=loss) for task, loss in lost]
    parts.append(_listed(losers) if losers else filled("no task lost") if parts else filled("No task lost"))
    dull = [names[i] for i, ratio in enumerate(best.ratios) if min(ratio, rival.ratios[i]) > _NOTHING]
    parts += [filled("{tasks} learnt nothing in either", tasks=_listed(dull))] if dull else []
    return filled("{parts}.", parts=joined(parts, "; "))


def _capital(name: str) -> str:
    """Return a task's name as it begins a sentence."""
    if isinstance(name, Text):
        return Text(_CAPITALS.get(name.template, name.template), name.values)
    return name[:1].upper() + name[1:]


def _why(best: _Result, rival: _Result) -> Text:
    """Name the rival's unequal pulls on W, if they were so and those of the best were not."""
    if not best.pulls or not rival.pulls or min(*best.pulls, *rival.pulls) <= 0:
        return Text("", {})
    own, theirs = (max(pulls) / min(pulls) for pulls in (best.pulls, rival.pulls))
    if theirs < _APART * own:
        return Text("", {})
    names = best.group.tasks
    loud, quiet = (names[rival.pulls.index(pick(rival.pulls))] for pick in (max, min))
    return filled(
        "Why: with {rival} the gradient of {loud} was on average {theirs:.2g} times that of {quiet} at the shared "
        "layer; with {best} the largest was {own:.2g} times the smallest.",
        rival=rival.name,
        loud=loud,
        theirs=theirs,
        quiet=quiet,
        best=best.name,
        own=own,
    )


def _same_start(results: Sequence[_Result]) -> bool:
    keys = ("dataset", "network", "width", "depth", "channels", "initialization")
    starts = [(each.group.seeds, [each.group.spec.get(key) for key in keys]) for each in results]
    return all(start == starts[0] for start in starts) and bool(starts[0][0])


def _seeds(result: _Result) -> str:
    count = len(result.group.runs)
    return filled(" on average over {count} seeds", count=count) if count > 1 else ""


def _left(ratio: float) -> Text:
    return filled("{ratio:.2g} of its first test loss left", ratio=ratio)


def _listed(words: Sequence[str]) -> Text:
    if len(words) < 2:
        return joined(words, "")
    return filled("{first} and {last}", first=joined(words[:-1], ", "), last=words[-1])
