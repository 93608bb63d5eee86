"""Commands that look things up: methods, citations, exports."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any, BinaryIO

from gradnorm.cli.output import check_replaceable, write_json
from gradnorm.cli.paths import open_up
from gradnorm.config import spec
from gradnorm.config.options import options
from gradnorm.export.citations import bibtex
from gradnorm.runs.damage import sentence

if TYPE_CHECKING:
    from gradnorm.runs.store import RunStore


def warn(wrong: str) -> None:
    """Say on standard error what is wrong, if anything is."""
    if wrong:
        print(f"gradnorm: {wrong}", file=sys.stderr)


def methods(arguments: argparse.Namespace) -> int:
    """List the weighting methods with what they need, their hyperparameters and their papers."""
    described = [_method(name) for name in spec.methods()]
    if arguments.json:
        write_json(described, arguments.json)
        return 0
    for method in described:
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


def cite(arguments: argparse.Namespace) -> int:
    """Print BibTeX."""
    if arguments.run is None:
        print(bibtex(list(spec.methods())))
        return 0
    from gradnorm.runs.store import RunStore

    family = RunStore(arguments.home).family(arguments.run)
    print(bibtex([str(info.spec.get("method")) for info in family]))
    return 0


def export(arguments: argparse.Namespace) -> int:
    """Write a run's records, or the run as a script."""
    from gradnorm.runs.store import RunStore

    store = RunStore(arguments.home)
    warn(sentence(arguments.run, store.read(arguments.run).damage))
    open_up(store.info(arguments.run).spec, arguments.home)
    if arguments.format == "tensorboard":
        from gradnorm.export import tensorboard

        if arguments.out is None:
            raise spec.SpecError("out should be a folder, for an event file. Found none. Set it with --out DIR.")
        tensorboard.write(store, arguments.run, arguments.out)
        return 0
    if arguments.out is None:
        _write(store, arguments, sys.stdout.buffer)
        return 0
    check_replaceable(arguments.out)
    partial = arguments.out.with_name(arguments.out.name + ".tmp")
    try:
        with partial.open("wb") as sink:
            _write(store, arguments, sink)
        partial.replace(arguments.out)
    finally:
        partial.unlink(missing_ok=True)
    return 0


def _write(store: RunStore, arguments: argparse.Namespace, sink: BinaryIO) -> None:
    if arguments.format == "python":
        from gradnorm.export.script import script

        sink.write(script(store, arguments.run).encode())
    else:
        from gradnorm.export import tables

        tables.write(store, arguments.run, arguments.format, sink)
