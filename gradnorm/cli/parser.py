"""What the command line understands."""

from __future__ import annotations

import argparse
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NoReturn

from gradnorm.cli.engines import add_engine
from gradnorm.cli.output import USAGE
from gradnorm.cli.ranks import leads
from gradnorm.comparison.curves import AXES
from gradnorm.comparison.scores import STATISTICS
from gradnorm.config.options import Option, options, options_of
from gradnorm.config.spec import PRESETS, datasets, methods
from gradnorm.runs.query import SORTS
from gradnorm.studies.base import Study
from gradnorm.studies.registry import KINDS
from gradnorm.studies.table import TableStudy


class _Parser(argparse.ArgumentParser):
    """Bad usage is one line on standard error, whatever the number of processes."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {message} (see {self.prog} --help)\n" if leads() else None)


def benchmarks() -> Mapping[str, str]:
    """Return the named benchmarks with what they measure; empty outside a checkout of the source."""
    # Not any package of that name that may be installed.
    if not (Path(__file__).parents[2] / "benchmarks" / "__init__.py").is_file():
        return {}
    from benchmarks import NAMED

    return NAMED


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    top = _Parser(prog="gradnorm", description="GradNorm, live.")
    commands = top.add_subparsers(dest="command", required=True, parser_class=_Parser)

    train = commands.add_parser("train", help="train one run, or a race, and print what came of it")
    train.add_argument("--preset", choices=list(PRESETS), help="start from a preset; options change it")
    train.add_argument("--spec", type=Path, help="a spec as JSON, from a download or an export")
    train.add_argument(
        "--race", metavar="LIST", help="contenders in lock step, as in equal,gradnorm:alpha=0.5,uncertainty"
    )
    _add_options(train)

    resume = commands.add_parser("resume", help="go on with a run that was stopped or interrupted")
    resume.add_argument("run", help="the run's id")

    fork = commands.add_parser("fork", help="go on from a checkpoint of a run with other options")
    fork.add_argument("run", help="the run's id")
    fork.add_argument("--at", type=int, required=True, metavar="STEP", help="the step of the checkpoint")
    _add_options(fork)

    study = commands.add_parser("study", help="run a study: an α sweep, random fixed weights, a search for fixed ones")
    studied = _add_studies(study)
    for name, tasks in {"table1": "classes, depth and normals", "table2": "depth, normals and keypoints"}.items():
        table = commands.add_parser(name, help=f"the paper's Table {name[-1]}: {tasks}, beside each task alone")
        table.set_defaults(kind=TableStudy.kind, preset=None)
        _add_study_options(table, TableStudy, "--data")
        add_engine(table)
        studied.append(table)

    runs = commands.add_parser("runs", help="list the runs of a home, name and tag them, put them into the trash")
    _add_list(runs)
    known = commands.add_parser("methods", help="list the weighting methods")
    cite = commands.add_parser("cite", help="print the BibTeX of what a run, or all methods, use")
    cite.add_argument("run", nargs="?", help="the run's id; left out: all methods")

    export = commands.add_parser("export", help="write a run's records, or the run as a script")
    export.add_argument("run", help="the run's id")
    export.add_argument(
        "--format",
        choices=["csv", "parquet", "json", "python", "tensorboard"],
        default="csv",
        help="python: a script that repeats the run; tensorboard: an event file in the folder --out",
    )
    export.add_argument("--out", type=Path, help="a file; left out: standard output")

    compare = commands.add_parser("compare", help="lay runs side by side: scores over seeds, a paired test, Δm, curves")
    _add_comparison(compare)

    doctor = commands.add_parser("doctor", help="say what is damaged in a home, and mend it")
    doctor.add_argument("--repair", action="store_true", help="mend what can be; what is there now is kept beside it")

    dashboard = commands.add_parser("dashboard", help="serve the dashboard")
    dashboard.add_argument("--address", default=os.environ.get("GRADNORM_ADDRESS", "127.0.0.1"))
    dashboard.add_argument("--port", type=int, default=os.environ.get("GRADNORM_PORT", "8501"))
    dashboard.add_argument("--open", action="store_true", help="open it in a browser")

    figure = commands.add_parser("figure2", help="reproduce the paper's Figure 2: table and figure")
    _add_figure2(figure)

    bench = commands.add_parser("bench", help="run a named benchmark")
    named = benchmarks()
    listed = "; ".join(f"{name}: {what}" for name, what in named.items()) or "needs a checkout of the source"
    bench.add_argument("name", choices=list(named) or None, metavar="NAME", help=listed)
    bench.add_argument("--viewers", type=int, metavar="N", help="streaming: of the watch page, 2 or more")

    _add_data(commands.add_parser("data", help="make data to try things with"))

    for command in (train, resume, fork, runs, compare, known, doctor, figure, bench, *studied):
        command.add_argument("--json", metavar="FILE", help="write the result as JSON; - is standard output")
    for command in (train, resume, fork, runs, cite, export, compare, doctor, dashboard, *studied):
        command.add_argument("--home", type=Path, help="where runs live (default: GRADNORM_HOME, else runs/)")
    return top


def _add_studies(study: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """Add the kinds of study, whose options are their own and a run's, and what is done with one that there is."""
    kinds = study.add_subparsers(dest="kind", required=True, parser_class=_Parser)
    parsers = [kinds.add_parser(name, help=kind.summary) for name, kind in KINDS.items()]
    for parser, kind in zip(parsers, KINDS.values(), strict=True):
        parser.add_argument("--preset", choices=list(PRESETS), help="start from a preset; options change it")
        _add_study_options(parser, kind)
        add_engine(parser)
    listed = kinds.add_parser("list", help="list the studies of a home, newest first")
    shown = kinds.add_parser("show", help="print what a study says by now")
    resumed = kinds.add_parser("resume", help="go on with a study that was stopped or interrupted")
    for parser in (shown, resumed):
        parser.add_argument("study", help="the study's id")
    add_engine(resumed)
    return [*parsers, listed, shown, resumed]


def _add_study_options(parser: argparse.ArgumentParser, kind: type[Study], *names: str) -> None:
    """Add a study's options and a run's. names: of the option that says what is learnt, besides --dataset."""
    own = list(options_of("study", kind))
    for option in own:
        _add(parser, option)
    # Where a data set has an option of the same name, the study's is meant.
    _add_options(parser, {option.key for option in own}, *names)


def _add_comparison(compare: argparse.ArgumentParser) -> None:
    compare.add_argument("runs", nargs="+", metavar="RUN", help="the runs' ids; those that differ in the seed are one")
    compare.add_argument("--baseline", default="", metavar="RUN", help="what the others are compared with")
    compare.add_argument("--score", choices=STATISTICS, default="final", help="which evaluation counts")
    compare.add_argument("--last", type=int, default=5, metavar="K", help="evaluations that score last averages")
    compare.add_argument("--metric", action="append", default=[], help="what the report draws; may be given again")
    compare.add_argument("--by", choices=AXES, default="step", help="what the report's curves are aligned by")
    for kind, what in (("html", "a report that needs no network"), ("latex", "a table"), ("csv", "all scores")):
        compare.add_argument(f"--{kind}", metavar="FILE", help=f"write {what}; - is standard output")


def _add_list(runs: argparse.ArgumentParser) -> None:
    words = 'words of title, name, notes and tags, and settings, as in "toy alpha>=0.5"'
    runs.add_argument("--search", default="", metavar="TEXT", help=words)
    runs.add_argument("--dataset", default="", metavar="NAME", help="only those of this data set")
    runs.add_argument("--method", default="", metavar="NAME", help="only those of this method")
    runs.add_argument("--state", default="", help="only those in this state, as finished or running")
    runs.add_argument("--tag", default="", help="only those with this tag")
    runs.add_argument(
        "--group", default="", metavar="ID", help="only those of a study, a race, or a run's tree of forks"
    )
    runs.add_argument("--pinned", action="store_true", help="only those that are pinned")
    runs.add_argument("--trash", action="store_true", help="those in the trash")
    runs.add_argument("--sort", choices=SORTS, default="newest", help="pinned runs come first (default: newest)")
    runs.add_argument("--limit", type=int, default=1000, metavar="N", help="how many at most (default: 1000)")
    actions = runs.add_subparsers(dest="action", parser_class=_Parser)
    home = _Parser(add_help=False)
    # What is not given here must not undo what was given before the action.
    home.add_argument("--home", type=Path, default=argparse.SUPPRESS, help="where runs live")
    one, several = _Parser(add_help=False), _Parser(add_help=False)
    one.add_argument("run", help="the run's id")
    several.add_argument("runs", nargs="+", metavar="run", help="the runs' ids")
    for action, text in (("name", "give a run a name in place of its title"), ("note", "give a run notes")):
        actions.add_parser(action, help=text, parents=[home, one]).add_argument("text", help='"" takes them away')
    tag = actions.add_parser("tag", help="add tags to runs, or take them away", parents=[home, several])
    tag.add_argument("--add", default="", metavar="LIST", help="tags, separated by commas")
    tag.add_argument("--remove", default="", metavar="LIST", help="tags, separated by commas")
    for action, text in (
        ("pin", "keep runs on top of the list"),
        ("unpin", "no longer keep runs on top"),
        ("trash", "put runs into the trash, where they are kept for 30 days"),
        ("restore", "take runs out of the trash"),
    ):
        actions.add_parser(action, help=text, parents=[home, several])
    actions.add_parser("empty-trash", help="delete the runs in the trash for good", parents=[home])


def _add_figure2(figure: argparse.ArgumentParser) -> None:
    figure.add_argument("--tasks", type=int, choices=[2, 10], default=2, help="2: its top row; 10: its bottom row")
    figure.add_argument("--seeds", type=int, default=5, help="runs of each method that are reported")
    figure.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time")
    figure.add_argument("--steps", type=int, help="of each run (default: the preset's)")
    figure.add_argument("--draws", type=int, default=8, help="random weights tried for the row of tuned fixed weights")
    figure.add_argument("--out", type=Path, default=Path(), help="where figure2-TASKS.svg and .md are written")


def _add_data(data: argparse.ArgumentParser) -> None:
    kinds = data.add_subparsers(dest="kind", required=True, parser_class=_Parser)
    rooms = kinds.add_parser("rooms", help="rendered rooms in a file laid out as nyu_depth_v2_labeled.mat")
    rooms.add_argument("--count", type=int, required=True, help="how many rooms")
    rooms.add_argument("--size", default="480x640", metavar="HEIGHTxWIDTH", help="of each picture (default: 480x640)")
    rooms.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file, as rooms.mat")
    rooms.add_argument("--splits", type=Path, metavar="FILE", help="write training and test numbers, as splits.mat has")
    rooms.add_argument("--layouts", type=Path, metavar="FILE", help="write RoomNet's keypoints, as layouts.npy")
    rooms.add_argument("--seed", type=int, default=0, help="another seed makes other rooms (default: 0)")


def _add_options(parser: argparse.ArgumentParser, besides: Collection[str] = (), *names: str) -> None:
    listed = ", ".join(datasets())
    parser.add_argument(
        *names,
        "--dataset",
        dest="dataset",
        metavar="NAME[:PATH]",
        help=f"what is learnt: {listed}, with a path as in table:houses.csv",
    )
    parser.add_argument("--method", choices=list(methods()), help="how the losses are weighed")
    for option in options():
        if option.key not in besides:
            _add(parser, option)


def _add(parser: argparse.ArgumentParser, option: Option) -> None:
    text = option.help.replace("%", "%%")
    flag = f"--{option.key.replace('_', '-')}"
    if option.kind == "choice":
        parser.add_argument(flag, choices=option.choices, help=text)
    elif option.kind == "switch":
        parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=None, help=text)
    else:
        parser.add_argument(flag, metavar=option.kind.upper(), help=text)
