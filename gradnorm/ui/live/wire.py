"""What travels over the live route: JSON for what is said once, float32 blocks for what streams."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from string import Formatter
from typing import Any

import numpy as np

from gradnorm.charts.palette import task_style
from gradnorm.common.texts import Text
from gradnorm.config.options import options
from gradnorm.config.spec import RunSpec, SpecError
from gradnorm.config.variants import task_texts
from gradnorm.datasets.forms.registry import error_metrics
from gradnorm.runs.devices import device_text
from gradnorm.runs.plain import json_safe, short
from gradnorm.runs.records import Evaluation, Event, Rows, RunInfo, columns
from gradnorm.runs.titles import title_text

LIVE, DETAIL = 1, 2
# Rows that a viewer is sent of a whole run; a screen has fewer columns of pixels than that.
MOST_ROWS = 4096
# Rows of a zoomed range: twice the columns of pixels that a chart has.
MOST_DETAIL = 1024
# Settings that a run's title tells, or that change no result; and those that are told of every run, not only where they
# are no defaults.
_LEFT_OUT = frozenset({"alpha", "seed", "device", "pace"})
_TOLD = frozenset({"steps", "batch_size", "learning_rate"})


def stride(steps: int, most: int = MOST_ROWS) -> int:
    """Return every how many steps a row is sent, a power of two, so that at most `most` are."""
    every = 1
    while every * most < steps:
        every *= 2
    return every


def thin(rows: Rows, every: int) -> Rows:
    """Return the rows whose step is a multiple of `every`, and the newest row.

    What was not measured at such a step is the last that was since the one before: a method may measure at steps of
    its own, none of which need be a multiple.
    """
    if every == 1 or not len(rows):
        return rows
    keep = rows[:, 0] % every == 0
    keep[-1] = True
    (kept,) = np.nonzero(keep)
    thinned, missing = rows[kept], np.isnan(rows[kept])
    if missing.any():
        measured = np.where(np.isnan(rows), -1, np.arange(len(rows))[:, None])
        newest = np.maximum.accumulate(measured)[kept]
        found = missing & (newest > np.concatenate([[-1], kept[:-1]])[:, None])
        thinned[found] = rows[newest[found], np.nonzero(found)[1]]
    return thinned


def block(kind: int, rows: Rows, every: int) -> bytes:
    """Return rows as one message: four uint32 (kind, rows, columns, stride), then float32, little endian."""
    head = struct.pack("<4I", kind, rows.shape[0], rows.shape[1], every)
    return head + np.ascontiguousarray(rows, dtype="<f4").tobytes()


def read_block(message: bytes) -> tuple[int, Rows, int]:
    """Return kind, rows and stride of a `block`. Raises ValueError if it is not one."""
    if len(message) < 16:
        raise ValueError(f"A block should have at least 16 bytes. Found {len(message)}.")
    kind, height, width, every = struct.unpack_from("<4I", message)
    rows = np.frombuffer(message, dtype="<f4", offset=16)
    if rows.size != height * width:
        raise ValueError(f"A block of {height} × {width} should have as many numbers. Found {rows.size}.")
    return kind, rows.reshape(height, width), every


def told(text: str) -> Any:
    """Return a text as `said` of words.js reads it: a plain one as it is; else `template` and `values`.

    A value is a text, or a list of one number, written as the template says and with the marks of English.
    """
    if not isinstance(text, Text):
        return text
    values: dict[str, Any] = {}
    for _, name, form, _ in Formatter().parse(text.template) if text.values else ():
        if name:
            value = text.values[name]
            values[name] = told(value) if isinstance(value, str) else [format(value, form or "")]
    return {"template": text.template, "values": values}


def hello(info: RunInfo) -> str:
    """Return the first message: what the run is and how to read its rows."""
    tasks: list[dict[str, Any]] = []
    for i, name in enumerate(task_texts(info.spec, info.tasks)):
        style = task_style(i)
        tasks.append(
            {"name": name, "told": told(name), "color": {"light": style.light, "dark": style.dark}, "dash": style.dash}
        )
    return json.dumps(
        {
            "type": "run",
            "run": info.run,
            "title": info.title,
            "told": told(title_text(info)),
            "recorded": info.recorded,
            **_declared(info),
            "tasks": tasks,
            "columns": columns(len(info.tasks), info.quantities),
            "stride": stride(info.total or info.steps),
            "steps": info.total or info.steps,
            "held": list(info.spec.get("hold") or ()),
            "parent": info.parent,
            "forked_at": info.forked_at,
        }
    )


def _declared(info: RunInfo) -> dict[str, Any]:
    """Return what the run's method and tasks declare: test metrics, and whether there are targets and plain answers."""
    if info.recorded:
        by_name: list[list[str]] = info.spec["metrics"]
        return {
            "has_targets": info.spec["targets"],
            "metrics": list(dict.fromkeys(name for names in by_name for name in names)),
            "task_metrics": [next(iter(names), None) for names in by_name],
            "errors": sorted(error_metrics()),
            "answers": False,
            "settings": [],
        }
    try:
        spec = RunSpec.parse(info.spec)
    except SpecError:  # records outlive the code that made them
        return {
            "has_targets": False,
            "metrics": [],
            "task_metrics": [],
            "errors": [],
            "answers": False,
            "settings": [],
        }
    # Of each task's metrics the one to look at first; the others are in the exports and the gallery.
    by_task = list(spec.dataset.task_metrics)
    return {
        "has_targets": spec.method.sets_targets,
        "metrics": list(dict.fromkeys(by_task)),
        "task_metrics": by_task,
        "errors": sorted(error_metrics()),
        "answers": spec.dataset.plain_answers,
        "settings": _settings(spec),
    }


def _settings(spec: RunSpec) -> list[str]:
    """Return the settings that matter beside the title, in words; where files lie is nobody's business."""
    values = spec.flat()
    told = [
        option
        for option in options(spec.dataset.name, spec.method.name)
        if option.key in _TOLD or (option.key not in _LEFT_OUT and short(values[option.key]) != short(option.default))
    ]
    return [f"{option.title} {short(values[option.key])}" for option in told if not option.extra.get("path")]


def evaluations(newest: Sequence[Evaluation]) -> str:
    """Return the message that brings evaluations."""
    return json.dumps({"type": "evaluations", "rows": [json_safe(each.to_dict()) for each in newest]})


def events(info: RunInfo, newest: Sequence[Event], known: int) -> str:
    """Return the message that brings live changes, to be put after the first `known` of those that a page holds.

    info: of the run, whose title they may have changed.
    """
    rows = [{**asdict(event), "label": event.label} for event in newest]
    title = {"title": info.title, "told": told(title_text(info))}
    return json.dumps({"type": "events", **title, "known": known, "rows": json_safe(rows)})


def checkpoints(steps: Sequence[int]) -> str:
    """Return the message that says after which steps the run can be forked."""
    return json.dumps({"type": "checkpoints", "steps": list(steps)})


def status(info: RunInfo, speed: float | None, asked: Mapping[str, Any]) -> str:
    """Return the message that says where the run stands.

    speed: steps a second, None if not known.  asked: the live options that were changed, whether used already or not.
    """
    steps = info.total
    left = None if not speed or not steps or info.state != "running" else max(0, steps - info.steps) / speed
    message = info.outcome.message if info.outcome else None
    return json.dumps(
        {
            "type": "status",
            "state": info.state,
            "step": info.steps,
            "steps": steps,
            "steps_per_second": speed,
            "seconds_left": left,
            "device": told(device_text(info.device)) if info.device else None,
            "place": info.place,
            "message": message,
            "told": told(message) if message else None,
            "asked": json_safe(asked),
        }
    )
