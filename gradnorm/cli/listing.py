"""Commands that look things up: runs, methods, citations, exports."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any, BinaryIO

from gradnorm.cli.output import check_replaceable, write_json
from gradnorm.cli.paths import open_up
from gradnorm.config import spec
from gradnorm.config.options import options
from gradnorm.export.citations import bibtex
from gradnorm.runs.records import RunInfo

if TYPE_CHECKING:
    from gradnorm.runs.store import RunStore


def runs(given: argparse.Namespace) -> int:
    """List the runs of a home."""
    from gradnorm.runs.store import RunStore

    found = RunStore(given.home).runs()
    if given.json:
        write_json([_line(info) for info in found], given.json)
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
        "race": info.race,
        "parent": info.parent,
        "forked_at": info.forked_at,
    }


def methods(given: argparse.Namespace) -> int:
    """List the weighting methods with what they need, their hyperparameters and their papers."""
    found = [_method(name) for name in spec.methods()]
    if given.json:
        write_json(found, given.json)
        return 0
    for method in found:
        print(f"{method['method']:<12} {method['needs']:<8} {method['summary']}")
    return 0


def _method(name: str) -> dict[str, Any]:
    method = spec.methods()[name]
    keys = ("key", "kind", "title", "help", "default", "low", "high", "choices", "live")
    return {
        "method": name,
        "title": method.title,
        "summary": method.summary,
        "needs": method.needs.value,
        "hyperparameters": [
            {key: getattr(option, key) for key in keys} for option in options(None, name) if option.part == "method"
        ],
        "citation": method.citation,
    }


def cite(given: argparse.Namespace) -> int:
    """Print BibTeX."""
    if given.run is None:
        print(bibtex(list(spec.methods())))
        return 0
    from gradnorm.runs.store import RunStore

    family = RunStore(given.home).family(given.run)
    print(bibtex([str(info.spec.get("method")) for info in family]))
    return 0


def export(given: argparse.Namespace) -> int:
    """Write a run's records, or the run as a script."""
    from gradnorm.runs.store import RunStore

    store = RunStore(given.home)
    open_up(store.info(given.run).spec, given.home)
    if given.format == "tensorboard":
        from gradnorm.export import tensorboard

        if given.out is None:
            raise spec.SpecError("out should be a folder, for an event file. Found none. Set it with --out DIR.")
        tensorboard.write(store, given.run, given.out)
        return 0
    if given.out is None:
        _write(store, given, sys.stdout.buffer)
        return 0
    check_replaceable(given.out)
    partial = given.out.with_name(given.out.name + ".tmp")
    try:
        with partial.open("wb") as sink:
            _write(store, given, sink)
        partial.replace(given.out)
    finally:
        partial.unlink(missing_ok=True)
    return 0


def _write(store: RunStore, given: argparse.Namespace, sink: BinaryIO) -> None:
    if given.format == "python":
        from gradnorm.export.script import script

        sink.write(script(store, given.run).encode())
    else:
        from gradnorm.export import tables

        tables.write(store, given.run, given.format, sink)
