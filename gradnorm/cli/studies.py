"""Commands of studies: run one, go on with one, print what one says, list them."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from contextlib import closing, redirect_stdout
from typing import TYPE_CHECKING, Any

from gradnorm.cli.engines import engine_of
from gradnorm.cli.output import STOPPED, check_writable, write_json
from gradnorm.cli.paths import open_up, take_path
from gradnorm.cli.training import StoppedBySignals, changes, check_device, check_files, check_packages
from gradnorm.config.options import options_of
from gradnorm.config.parts import code_refusal
from gradnorm.config.spec import RunSpec, SpecError, preset
from gradnorm.studies.base import Study
from gradnorm.studies.registry import KINDS, study_of
from gradnorm.studies.table import PAPER_TABLES, markdown, paper_base
from gradnorm.training.control import Control

if TYPE_CHECKING:
    from gradnorm.lab.study_keeper import StudyKeeper
    from gradnorm.runs.store import RunStore

# How often the bar moves and ended runs are noted.
_SECONDS = 0.25
# How long a study that was stopped waits for its runs: other machines hear of it later than this one.
_SETTLED = 20.0


def study(arguments: argparse.Namespace) -> int:
    """Do what was asked of studies."""
    check_writable(arguments.json)
    if arguments.kind in KINDS:
        return _run(arguments, None)
    if arguments.kind == "resume":
        return _run(arguments, arguments.study)
    from gradnorm.runs.store import RunStore

    store = RunStore(arguments.home)
    if arguments.kind == "show":
        return _report(store, arguments.study, arguments)
    infos = store.studies.all()
    if arguments.json:
        write_json([{**vars(info), "spec": dict(info.spec)} for info in infos], arguments.json)
        return 0
    for info in infos:
        print(f"{info.study}  {info.state:<8}  {info.title}")
    return 0


def _run(arguments: argparse.Namespace, study: str | None) -> int:
    """Run a new study, or go on with one, until it has ended or is stopped by a signal."""
    with StoppedBySignals() as stopped:
        from gradnorm.lab.lab import Lab
        from gradnorm.lab.study_keeper import StudyKeeper
        from gradnorm.runs.store import RunStore

        made, own = _made(arguments) if study is None else None, "local"
        store = RunStore(arguments.home)
        if study is not None:
            info = store.studies.info(study)
            open_up(info.spec["base"], arguments.home)
            own = info.engine
        engine = engine_of(arguments, store.home, arguments.engine or own)
        # What Ray tells of its nodes, it prints. Standard output is for the report alone.
        with redirect_stdout(sys.stderr), closing(Lab(store, arguments.leases if engine else None, engine)) as lab:
            keeper = StudyKeeper(lab, arguments.lease_runs)
            if made is not None:
                study = keeper.launch(made)
            else:
                assert study is not None
                store.studies.set_engine(study, lab.engine.name)
                keeper.resume(study)
            _watch(store, keeper, study, stopped)
            _settle(store, study)
        if store.studies.info(study).state != "finished":
            print(f"gradnorm: stopped. Go on with: gradnorm study resume {study}", file=sys.stderr)
            return STOPPED
        return _report(store, study, arguments)


def _made(arguments: argparse.Namespace) -> Study:
    """Return the study of a command line. Raises what `train` does for data and packages that cannot be used."""
    take_path(arguments)
    kind = KINDS[arguments.kind]
    own = [option.key for option in options_of("study", kind)]
    given = {key: value for key, value in changes(arguments).items() if key not in own}
    if arguments.command in PAPER_TABLES:
        spec = paper_base(arguments.command, given)
    else:
        spec = preset(arguments.preset, given) if arguments.preset else RunSpec.parse(given)
    options = {key: value for key in own if (value := getattr(arguments, key)) is not None}
    if options.get("seeds", "").isdigit():
        # As of figure2: how many.
        options["seeds"] = tuple(range(1, int(options["seeds"]) + 1))
    made = kind.parse(spec.flat(), options)
    check_packages([member.spec for member in made.wanted({})])
    check_device(spec)
    if not code_refusal(spec.flat()):  # what is refused is not executed first
        check_files(spec, arguments)
    return made


def _watch(store: RunStore, keeper: StudyKeeper, study: str, stopped: Control) -> None:
    """Keep a study going, and show how far it is, until it has ended. A page may pause it meanwhile."""
    from tqdm import tqdm

    from gradnorm.lab.study_keeper import progress

    with tqdm(total=1, unit="step", disable=not sys.stderr.isatty()) as bar:
        while (info := store.studies.info(study)).state in ("running", "paused"):
            if stopped.stopping:
                keeper.stop(study)
            keeper.tend(study)
            if not bar.disable:
                now = progress(store, info)
                bar.total, bar.n = now.total, now.steps
                bar.set_description(f"{now.ended} of {now.count} runs", refresh=False)
                bar.set_postfix_str(f"best {now.best[1]:.4g}, {now.best[0]}" if now.best else "")
            time.sleep(_SECONDS)


def _settle(store: RunStore, study: str) -> None:
    """Wait a while for the runs of a study that was stopped, so that all that comes of them is recorded now."""
    end = time.monotonic() + _SETTLED
    while time.monotonic() < end and any(each.state == "running" for each in store.studies.members(study)):
        time.sleep(_SECONDS)


def _report(store: RunStore, study: str, arguments: argparse.Namespace) -> int:
    from gradnorm.lab.study_keeper import progress, results_of

    info = store.studies.info(study)
    report = study_of(info.kind, info.spec).report(results_of(store.studies.members(study)))
    if arguments.json:
        now = progress(store, info)
        counted = {"study": study, "state": info.state, "ended": now.ended, "runs": now.count, "steps": now.steps}
        write_json({**counted, "title": info.title, **report}, arguments.json)
        return 0
    print(f"{study} {info.state}: {info.title}")
    for line in _lines(report):
        print(line)
    return 0


def _lines(report: Mapping[str, Any]) -> list[str]:
    """Return a report in words. Raises SpecError for a kind that has none."""
    if report["kind"] == "alpha":
        lines = [f"equal weights: {_spread(report['equal'])}"]
        for row in report["alphas"]:
            remarks = [f"dropped after {row['dropped_at']:,} steps"] if row["dropped_at"] else []
            remarks += ["unstable"] if row["unstable"] else []
            gain = f", gain {row['gain']['median']:.1%}" if row["gain"] else ""
            lines.append(f"α {row['alpha']:g}: {_spread(row['loss'])}{gain}{''.join(f'; {each}' for each in remarks)}")
        if report["suggested"]:
            lines.append(f"suggested: α {report['suggested']['alpha']:g}. {report['suggested']['why']}")
        return lines
    if report["kind"] == "grid":
        lines = [
            f"{name}: {_spread(place['loss'])}"
            + (f", better than {place['better_than']['median']:.0%} of the random ones" if place["better_than"] else "")
            for name, place in report["methods"].items()
        ]
        for name, found in (report["correlation"] or {}).items():
            interval = f"[{found['low']:.2f}, {found['high']:.2f}]"
            lines.append(f"distance and change, {name}: {found['value']:.2f}, 95 % interval {interval}")
        return lines
    if report["kind"] == "fixed":
        rows = [f"{row['name']}: {_spread(row['loss'])}" for row in report["candidates"]]
        others = [f"{name}: {_spread(loss)}" for name, loss in report["methods"].items()]
        return [*others, *rows, *([f"best: {report['best']}", report["code"]] if report["code"] else [])]
    if report["kind"] == "table":
        return markdown(report)
    raise SpecError(f"A report should be of one of {', '.join(KINDS)}. Found {report['kind']!r}.")


def _spread(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "no run with a loss yet"
    return f"test loss {found['median']:.4g} ({found['least']:.4g} … {found['most']:.4g}, {found['runs']} runs)"
