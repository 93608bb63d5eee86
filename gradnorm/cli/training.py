"""Commands that train: one run, a race, a run that goes on, a fork."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from gradnorm.cli.output import DIVERGED, FAILED, STOPPED, check_writable, write_json
from gradnorm.cli.paths import open_up, take_path
from gradnorm.config.options import options
from gradnorm.config.spec import RunSpec, preset
from gradnorm.config.variants import contenders, labels
from gradnorm.config.variants import fork as forked
from gradnorm.lab.summary import Summary, delta_m, leaders
from gradnorm.runs.records import Evaluation, Outcome, Record, RunInfo, StepRecord
from gradnorm.training.control import Control

_CODES = {"finished": 0, "diverged": DIVERGED, "stopped": STOPPED}


def train(given: argparse.Namespace) -> int:
    """Train one run, or a race."""
    take_path(given)
    spec = _spec(given)
    specs = [spec] if given.race is None else contenders(spec, given.race)
    check_writable(given.json)
    with _StoppedBySignals() as stopped:
        from gradnorm.runs.store import RunStore

        _check_device(spec)
        _check_files(spec, given)
        store = RunStore(given.home)
        entries = [(each.title, each.flat()) for each in specs]
        if given.race is None:
            made = [store.create(*entries[0], spec.dataset.task_names, queued=False)]
        else:
            made = store.create_race(entries, spec.dataset.task_names, queued=False)
        return _train(store, [store.info(run) for run in made], given, stopped, race=given.race is not None)


def resume(given: argparse.Namespace) -> int:
    """Go on with a run, and its race, from the last checkpoint."""
    check_writable(given.json)
    with _StoppedBySignals() as stopped:
        from gradnorm.runs.store import RunStore

        store = RunStore(given.home)
        open_up(store.info(given.run).spec, given.home)
        runs = store.requeue(given.run, here=True)
        return _train(store, [store.info(run) for run in runs], given, stopped, race=len(runs) > 1)


def fork(given: argparse.Namespace) -> int:
    """Go on from a checkpoint with other options."""
    take_path(given)
    check_writable(given.json)
    with _StoppedBySignals() as stopped:
        from gradnorm.runs.store import RunStore

        store = RunStore(given.home)
        info = store.info(given.run)
        spec = forked(info.spec, _changes(given))
        _check_device(spec)
        _check_files(spec, given)
        flat = spec.flat()
        child = store.create(spec.title, flat, info.tasks, queued=False, parent=given.run, forked_at=given.at)
        return _train(store, [store.info(child)], given, stopped)


def _changes(given: argparse.Namespace) -> dict[str, Any]:
    keys = ["dataset", "method", *(option.key for option in options())]
    return {key: value for key in keys if (value := getattr(given, key)) is not None}


def _spec(given: argparse.Namespace) -> RunSpec:
    changes = _changes(given)
    if given.spec is not None:
        return RunSpec.parse({**RunSpec.from_json(given.spec.read_bytes()).flat(), **changes})
    return preset(given.preset, changes) if given.preset else RunSpec.parse(changes)


def _check_device(spec: RunSpec) -> None:
    from gradnorm.training.run import resolve_device

    resolve_device(spec.device)


def _check_files(spec: RunSpec, given: argparse.Namespace) -> None:
    """Read the user's own files before there is a run: what is wrong with them is bad usage, and no failed run."""
    if spec.dataset.by_path:
        open_up(spec.flat(), given.home)
        spec.dataset.load(spec.seed)


def _train(
    store: Any, infos: Sequence[RunInfo], given: argparse.Namespace, control: Control, *, race: bool = False
) -> int:
    from gradnorm.lab.resume import mean_weights, records_of
    from gradnorm.lab.run_writer import record_race

    summaries = {info.run: Summary(RunSpec.parse(info.spec), info.run) for info in infos}
    controls = {info.run: control if i == 0 else _Follower(control) for i, info in enumerate(infos)}
    records = records_of(store, infos, controls)
    with closing(record_race(store, records, control)) as recorded, closing(_Bar(summaries, infos)) as bar:
        for run, item in recorded:
            summaries[run].take(item)
            bar.take(item)
    for run, summary in summaries.items():
        if summary.steps:
            summary.mean_weights = mean_weights(store, run)
    _report(summaries, given, race)
    return max(_CODES.get(summary.outcome.kind, FAILED) for summary in summaries.values())


class _Follower(Control):
    """The control of a contender: it stops when the first one is told to."""

    def __init__(self, leader: Control) -> None:
        super().__init__()
        self._leader = leader

    @property
    def stopping(self) -> bool:
        """Whether the leader was asked to end."""
        return self._leader.stopping


def _report(summaries: Mapping[str, Summary], given: argparse.Namespace, race: bool) -> None:
    results = [summary.result() for summary in summaries.values()]
    names = labels([summary.spec.flat() for summary in summaries.values()])
    if given.json:
        found = {"race": results, "leaders": leaders(names, results), "delta_m": delta_m(results)}
        write_json(found if race else results[0], given.json)
        return
    for name, summary in zip(names, summaries.values(), strict=True):
        print(f"{summary.run} {summary.outcome.kind}: {summary.outcome.message}")
        if summary.evaluation is not None:
            whose = f" of {name}" if race else ""
            print(f"task-normalised test loss{whose} {summary.evaluation.task_normalized_loss:.4f}")
    if race:
        for what, name in leaders(names, results).items():
            print(f"{what}: {name} leads")
        for name, delta in zip(names, delta_m(results), strict=True):
            if delta is not None:
                print(f"delta_m of {name}: {delta:+.2f} %")


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


class _StoppedBySignals:
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
        signal.signal(number, self._before[number])

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
