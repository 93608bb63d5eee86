"""Commands that train: one run, a race, a run that goes on, a fork."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from gradnorm.cli import ranks
from gradnorm.cli.output import ENDINGS, FAILED, check_writable, write_json
from gradnorm.cli.paths import open_up, take_path
from gradnorm.common.extras import require
from gradnorm.config import memory
from gradnorm.config.options import options, without_effect
from gradnorm.config.spec import RunSpec, preset
from gradnorm.config.variants import contenders, labels
from gradnorm.config.variants import fork as forked
from gradnorm.lab.summary import Summary, delta_m, leaders, sentences
from gradnorm.runs.records import Evaluation, Outcome, Record, RunInfo, StepRecord
from gradnorm.runs.troubles import troubles
from gradnorm.training.control import Control


def train(arguments: argparse.Namespace) -> int:
    """Train one run, or a race."""
    take_path(arguments)
    spec = _spec(arguments)
    specs = [spec] if arguments.race is None else contenders(spec, arguments.race)
    check_writable(arguments.json)
    check_packages(specs)
    with StoppedBySignals() as stopped:
        from gradnorm.runs.store import RunStore

        check_device(spec)
        check_files(spec, arguments)
        _say_notes(spec, arguments)
        _say_what_has_no_effect(spec, arguments)
        memory.check(specs)
        store = RunStore(arguments.home)
        entries = [(each.title, each.settled().flat()) for each in specs]
        if arguments.race is None:
            made = [store.create(*entries[0], spec.dataset.task_names, queued=False)]
        else:
            made = store.create_race(entries, spec.dataset.task_names, queued=False)
        return _train(store, [store.info(run) for run in made], arguments, stopped, race=arguments.race is not None)


def resume(arguments: argparse.Namespace) -> int:
    """Go on with a run, and its race, from the last checkpoint."""
    check_writable(arguments.json)
    with StoppedBySignals() as stopped:
        from gradnorm.runs.store import RunStore

        store = RunStore(arguments.home)
        open_up(store.info(arguments.run).spec, arguments.home)
        runs = store.requeue(arguments.run, here=True)
        return _train(store, [store.info(run) for run in runs], arguments, stopped, race=len(runs) > 1)


def fork(arguments: argparse.Namespace) -> int:
    """Go on from a checkpoint with other options."""
    take_path(arguments)
    check_writable(arguments.json)
    with StoppedBySignals() as stopped:
        from gradnorm.runs.store import RunStore

        store = RunStore(arguments.home)
        info = store.info(arguments.run)
        spec = forked(info.spec, changes(arguments))
        check_packages([spec])
        check_device(spec)
        check_files(spec, arguments)
        _say_what_has_no_effect(spec, arguments)
        memory.check([spec])
        flat = spec.settled().flat()
        child = store.create(spec.title, flat, info.tasks, queued=False, parent=arguments.run, forked_at=arguments.at)
        return _train(store, [store.info(child)], arguments, stopped)


def changes(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the flat keys of a spec that were given on the command line."""
    keys = ["dataset", "method", *(option.key for option in options())]
    return {key: value for key in keys if (value := getattr(arguments, key)) is not None}


def _spec(arguments: argparse.Namespace) -> RunSpec:
    given = changes(arguments)
    if arguments.spec is not None:
        return RunSpec.parse({**RunSpec.from_json(arguments.spec.read_bytes()).flat(), **given})
    return preset(arguments.preset, given) if arguments.preset else RunSpec.parse(given)


def check_packages(specs: Sequence[RunSpec]) -> None:
    """Raise MissingPackageError where a data set or a method lacks a package, before there is a run."""
    for spec in specs:
        require(f"Data set {spec.dataset.name}", *spec.dataset.packages)
        require(f"Method {spec.method.name}", *spec.method.packages)


def check_device(spec: RunSpec) -> None:
    """Raise SpecError for a device that is not there, before there is a run."""
    from gradnorm.training.run import resolve_device

    resolve_device(spec.device)


def check_files(spec: RunSpec, arguments: argparse.Namespace) -> None:
    """Read the user's own files before there is a run: what is wrong with them is bad usage, and no failed run."""
    if spec.dataset.by_path:
        open_up(spec.flat(), arguments.home)
        spec.dataset.load(spec.seed)


def _say_notes(spec: RunSpec, arguments: argparse.Namespace) -> None:
    """Print what the page says before a run: what became of the data, and what to think of. Nothing beside JSON."""
    if not arguments.json:
        advice = [spec.dataset.advice] if spec.dataset.advice else []
        for line in (*spec.dataset.notes(), *advice):
            print(line)


def _say_what_has_no_effect(spec: RunSpec, arguments: argparse.Namespace) -> None:
    """Tell of options that were given for nothing. Contenders of a race may have other values, so it tells of none."""
    if getattr(arguments, "race", None) is None:
        for sentence in without_effect(spec, changes(arguments)):
            print(sentence, file=sys.stderr)


def _train(
    store: Any, infos: Sequence[RunInfo], arguments: argparse.Namespace, control: Control, *, race: bool = False
) -> int:
    from gradnorm.lab.resume import mean_weights, records_of
    from gradnorm.lab.run_writer import record_group

    summaries = {info.run: Summary(RunSpec.parse(info.spec), info.run) for info in infos}
    controls = {info.run: control if i == 0 else _Follower(control) for i, info in enumerate(infos)}
    left: set[int] = set()
    ranks.lead(len(infos))
    items = records_of(store, infos, controls, left)
    with (
        closing(record_group(store, list(summaries), items, list(controls.values()), left)) as recorded,
        closing(_Bar(summaries, infos)) as bar,
    ):
        for run, item in recorded:
            summaries[run].take(item)
            bar.take(item)
    for run, summary in summaries.items():
        if summary.steps:
            summary.mean_weights = mean_weights(store, run)
            summary.troubles = troubles(store, run)
    _report(summaries, arguments, race)
    if not arguments.json:
        _say_verdict(store, infos[0].run)
    return max(ENDINGS.get(summary.outcome.kind, FAILED) for summary in summaries.values())


class _Follower(Control):
    """The control of a contender: it stops when the first one is told to."""

    def __init__(self, leader: Control) -> None:
        super().__init__()
        self._leader = leader

    @property
    def stopping(self) -> bool:
        """Whether the leader was asked to end."""
        return self._leader.stopping


def _report(summaries: Mapping[str, Summary], arguments: argparse.Namespace, race: bool) -> None:
    results = [summary.result() for summary in summaries.values()]
    names = labels([summary.spec.flat() for summary in summaries.values()])
    if arguments.json:
        gains = delta_m(results)
        told = {"delta_m": [gain.percent for gain in gains], "delta_m_why": [gain.why for gain in gains]}
        race_result = {"race": results, "leaders": leaders(names, results), **told}
        write_json(race_result if race else results[0], arguments.json)
        return
    for name, summary in zip(names, summaries.values(), strict=True):
        print(f"{summary.run} {summary.outcome.kind}: {summary.outcome.message}")
        if summary.evaluation is not None:
            whose = f" of {name}" if race else ""
            when = "" if summary.evaluation.step == summary.outcome.step else f" at step {summary.evaluation.step:,}"
            print(f"task-normalised test loss{whose}{when} {summary.evaluation.task_normalized_loss:.4f}")
            for line in sentences(summary.spec.dataset.task_names, summary.evaluation):
                print(line)
        for trouble in summary.troubles:
            print(f"{trouble.sentence} To keep its weight fixed in the next run, pass --hold {trouble.task + 1}.")
    if race:
        for what, name in leaders(names, results).items():
            print(f"{what}: {name} leads")
        for name, gain in zip(names, delta_m(results), strict=True):
            if gain.percent is not None:
                print(f"delta_m of {name}: {gain.percent:+.2f} %")
            elif gain.why:
                print(f"delta_m of {name}: none. {gain.why}")


def _say_verdict(store: Any, run: str) -> None:
    """Print what came of a run or a race, beside runs of this home that began alike."""
    from gradnorm.comparison.rivals import verdict_on

    found = verdict_on(store, run)
    if found.text:
        print(f"verdict: {found.text}")
    if found.wants_equal:
        print("What equal weights come to from the same start is not known here: train it with --method equal, too.")


class _Bar:
    """A progress bar where somebody looks."""

    def __init__(self, summaries: Mapping[str, Summary], infos: Sequence[RunInfo]) -> None:
        from tqdm import tqdm

        specs = [summary.spec for summary in summaries.values()]
        title = specs[0].title if len(specs) == 1 else f"{len(specs)} contenders"
        total, begun = sum(spec.steps for spec in specs), sum(info.steps for info in infos)
        self._bar = tqdm(total=total, initial=begun, desc=title, unit="step", disable=not sys.stderr.isatty())

    def take(self, item: Record) -> None:
        """Show one record."""
        if isinstance(item, StepRecord):
            self._bar.update()
        elif isinstance(item, Evaluation):
            self._bar.set_postfix_str(f"test {item.task_normalized_loss:.3f}")
        elif isinstance(item, Outcome):
            self._bar.refresh()

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()


class StoppedBySignals:
    """Ctrl-C and SIGTERM end the runs at a step boundary; a second one ends the process.

    Entered before torch is loaded, so that there is no moment in which Ctrl-C is no orderly end.
    """

    def __init__(self) -> None:
        self._control = Control()
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Control:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self._control

    def _handle(self, number: int, frame: object) -> None:
        self._control.stop()
        # Under torchrun both the terminal and torchrun may send it, and torchrun itself ends what takes too long.
        if not ranks.several():
            signal.signal(number, self._before[number])

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
