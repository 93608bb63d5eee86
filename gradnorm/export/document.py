"""A run as one JSON document, written a slice at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gradnorm.export.slices import as_it_stands, evaluations, slices
from gradnorm.runs.plain import json_safe
from gradnorm.runs.records import Rows, columns
from gradnorm.runs.store import RunStore


def write(store: RunStore, run: str, sink: BinaryIO) -> None:
    """Write an object with run, title, spec, tasks, outcome, steps, evaluations and events; None where not finite.

    Where records are damaged, it also has `damage`: what is left out, by kind, first and last step.

    Raises UnknownRunError; CutShortError if records are taken back meanwhile.
    """
    begun = as_it_stands(store, run)
    info = begun.info
    names = columns(info.tasks, info.quantities)
    head = {
        "run": info.run,
        "title": info.title,
        "spec": dict(info.spec),
        "tasks": list(info.tasks),
        "outcome": info.outcome.to_dict() if info.outcome else None,
    }
    sink.write(_text(head)[:-1])
    damage = dict.fromkeys(begun.damage)

    def rows() -> Iterator[bytes]:
        for each in slices(store, info):
            damage.update(dict.fromkeys(each.damage))
            yield _objects(names, each.rows)

    _write_list(sink, "steps", rows())
    _write_list(sink, "evaluations", (_text(json_safe(each.to_dict())) for each in evaluations(store, info)))
    _write_list(sink, "events", (_text(json_safe(asdict(event))) for event in begun.events))
    if damage:
        _write_list(sink, "damage", (_text(asdict(each)) for each in damage))
    sink.write(b"}")


def _write_list(sink: BinaryIO, key: str, items: Iterable[bytes]) -> None:
    """Write one more member of the object. items: one or several elements each, separated by commas; empty for none."""
    sink.write(f", {json.dumps(key)}: [".encode())
    for part in _separated(filter(None, items)):
        sink.write(part)
    sink.write(b"]")


def _separated(items: Iterator[bytes]) -> Iterator[bytes]:
    yield next(items, b"")
    for item in items:
        yield b", "
        yield item


def _objects(names: list[str], rows: Rows) -> bytes:
    """Return an object a row. Arrow writes numbers, in their shortest exact form, a column at a time."""
    parts: list[Any] = []
    for name, column in zip(names, rows.astype(np.float64).T, strict=True):
        numbers = column.astype(np.int64) if name == "step" else column
        texts = pc.cast(pa.array(numbers, mask=~np.isfinite(column)), pa.string())
        parts += [pa.scalar(f"{', ' if parts else '{'}{json.dumps(name)}: "), pc.fill_null(texts, "null")]
    lines = pc.binary_join_element_wise(*parts, "}", "")  # pyright: ignore[reportAttributeAccessIssue]
    return ", ".join(lines.to_pylist()).encode()


def _text(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False).encode()
