"""The command line: train, runs, export, dashboard, bench. Its options are the spec's own declarations."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn, TextIO

from gradnorm.options import Option, options
from gradnorm.records import Evaluation, Record, RunInfo, StepRecord, json_safe
from gradnorm.spec import PRESETS, RunSpec, SpecError, datasets, methods, preset
from gradnorm.summary import Summary
from gradnorm.training.control import Control

USAGE, DIVERGED, FAILED, STOPPED = 2, 3, 1, 130


class _Parser(argparse.ArgumentParser):
    """Bad usage is one line on standard error."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code: 0 done, 1 failed, 2 bad usage, 3 diverged, 130 stopped."""
    given = _parser().parse_args(arguments)
    command = {
        "train": _train,
        "runs": _runs,
        "export": _export,
        "dashboard": _dashboard,
        "bench": _bench,
    }[given.command]
    try:
        return command(given)
    except BrokenPipeError:
        # Whoever read our output has had enough, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (SpecError, OSError) as error:
        return _complain(str(error))
    except Exception as error:
        from gradnorm.database import StoreError
        from gradnorm.store import UnknownRunError

        if isinstance(error, StoreError | UnknownRunError):
            return _complain(str(error))
        raise


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="gradnorm", description="GradNorm, live.")
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)

    train = commands.add_parser("train", help="train one run and print what came of it")
    train.add_argument("--preset", choices=list(PRESETS), help="start from a preset; options change it")
    train.add_argument("--spec", type=Path, help="a spec as JSON, from a download or an export")
    train.add_argument("--dataset", choices=list(datasets()), help="what is learnt")
    train.add_argument("--method", choices=list(methods()), help="how the losses are weighed")
    for option in options():
        _add(train, option)
    _add_json(train)
    _add_home(train)

    runs = commands.add_parser("runs", help="list the runs of a home, newest first")
    _add_json(runs)
    _add_home(runs)

    export = commands.add_parser("export", help="write a run's records, a row a step")
    export.add_argument("run", help="the run's id")
    export.add_argument("--format", choices=["csv", "parquet", "json"], default="csv")
    export.add_argument("--out", type=Path, help="a file; left out: standard output")
    _add_home(export)

    dashboard = commands.add_parser("dashboard", help="serve the dashboard")
    dashboard.add_argument("--address", default=os.environ.get("GRADNORM_ADDRESS", "127.0.0.1"))
    dashboard.add_argument("--port", type=int, default=os.environ.get("GRADNORM_PORT", "8501"))
    dashboard.add_argument("--open", action="store_true", help="open it in a browser")
    _add_home(dashboard)

    bench = commands.add_parser("bench", help="run a named benchmark")
    bench.add_argument("name", choices=["streaming"])
    _add_json(bench)
    return parser


def _add(parser: argparse.ArgumentParser, option: Option) -> None:
    text = option.help.replace("%", "%%")
    flag = f"--{option.key.replace('_', '-')}"
    if option.kind == "choice":
        parser.add_argument(flag, choices=option.choices, help=text)
    elif option.kind == "switch":
        parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=None, help=text)
    else:
        parser.add_argument(flag, metavar=option.kind.upper(), help=text)


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", metavar="FILE", help="write the result as JSON; - is standard output")


def _add_home(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--home", type=Path, help="where runs live (default: GRADNORM_HOME, else runs/)")


def _complain(message: str) -> int:
    print(f"gradnorm: {message}", file=sys.stderr)
    return USAGE


def _spec(given: argparse.Namespace) -> RunSpec:
    keys = ["dataset", "method", *(option.key for option in options())]
    changes = {key: value for key in keys if (value := getattr(given, key)) is not None}
    if given.spec is not None:
        return RunSpec.parse({**RunSpec.from_json(given.spec.read_bytes()).flat(), **changes})
    return preset(given.preset, changes) if given.preset else RunSpec.parse(changes)


def _train(given: argparse.Namespace) -> int:
    spec = _spec(given)
    _check_writable(given.json)
    control = Control()
    # Before torch is loaded: from here on Ctrl-C is an orderly end.
    with _stopped_by_signals(control):
        return _train_spec(spec, given, control)


def _train_spec(spec: RunSpec, given: argparse.Namespace, control: Control) -> int:
    from gradnorm.store import RunStore
    from gradnorm.training import engine

    engine.resolve_device(spec.device)
    store = RunStore(given.home)
    run = store.create(spec.title, spec.flat(), spec.dataset.task_names, queued=False)
    summary = Summary(spec, run)
    records = engine.train(spec, control, on_device=lambda device: store.start(run, device))
    for item in _recorded(store, run, records, control, summary):
        summary.take(item)
    result = summary.result()
    if given.json:
        _write_json(result, given.json)
    elif summary.evaluation is not None:
        print(f"{run} {summary.outcome.kind}: {summary.outcome.message}")
        print(f"task-normalised test loss {summary.evaluation.task_normalized_loss:.4f}")
    return {"finished": 0, "diverged": DIVERGED, "stopped": STOPPED}.get(summary.outcome.kind, FAILED)


def _recorded(store: Any, run: str, records: Iterator[Record], control: Control, summary: Summary) -> Iterator[Record]:
    """Yield what is written to the store, with a progress bar where somebody looks."""
    from tqdm import tqdm

    from gradnorm.recorder import failed, record

    bar = tqdm(total=summary.spec.steps, desc=summary.spec.title, unit="step", disable=not sys.stderr.isatty())
    try:
        for item in record(store, run, records, control):
            if isinstance(item, StepRecord):
                bar.update()
            elif isinstance(item, Evaluation):
                bar.set_postfix_str(f"test {item.task_normalized_loss:.3f}")
            yield item
    except Exception as error:
        outcome = failed(summary.steps, error)
        store.end(run, outcome)
        yield outcome
    finally:
        bar.close()


class _stopped_by_signals:  # noqa: N801
    """Ctrl-C and SIGTERM end the run at a step boundary; a second one ends the process."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)

    def _handle(self, number: int, frame: object) -> None:
        self._control.stop()
        signal.signal(number, self._before[number])

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)


def _runs(given: argparse.Namespace) -> int:
    from gradnorm.store import RunStore

    found = RunStore(given.home).runs()
    if given.json:
        _write_json([_line(info) for info in found], given.json)
        return 0
    for info in found:
        print(f"{info.run}  {info.state:<11}  {info.steps:>9,} steps  {info.title}")
    return 0


def _line(info: RunInfo) -> dict[str, Any]:
    return {
        "run": info.run,
        "outcome": info.state,
        "message": info.outcome.message if info.outcome else "",
        "steps": info.steps,
        "spec": dict(info.spec),
        "title": info.title,
        "created": info.created,
        "seconds": info.seconds,
        "device": info.device,
    }


def _export(given: argparse.Namespace) -> int:
    from gradnorm import export
    from gradnorm.store import RunStore

    store = RunStore(given.home)
    store.info(given.run)
    if given.out is None:
        export.write(store, given.run, given.format, sys.stdout.buffer)
        return 0
    partial = given.out.with_name(given.out.name + ".tmp")
    with partial.open("wb") as sink:
        export.write(store, given.run, given.format, sink)
    partial.replace(given.out)
    return 0


def _dashboard(given: argparse.Namespace) -> int:
    from gradnorm.ui.serve import serve

    if given.home is not None:
        os.environ["GRADNORM_HOME"] = str(given.home)
    return serve(given.address, given.port, open_browser=given.open)


def _bench(given: argparse.Namespace) -> int:
    from gradnorm.bench import streaming

    result = streaming.run()
    _write_json(result, given.json or "-")
    return 0


def _check_writable(where: str | None) -> None:
    """Raise OSError for a result file that could not be written, before hours are spent on the result."""
    if where not in (None, "-"):
        Path(str(where)).open("a").close()


def _write_json(value: Any, where: str) -> None:
    text = json.dumps(json_safe(value), allow_nan=False)
    if where == "-":
        stream: TextIO = sys.stdout
        print(text, file=stream)
    else:
        Path(where).write_text(text + "\n")
