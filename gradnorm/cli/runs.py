"""The list of runs: search it, name and tag runs, and put them into the trash."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gradnorm.cli.listing import warn
from gradnorm.cli.output import write_json
from gradnorm.runs.labels import TRASH_DAYS
from gradnorm.runs.query import Query

if TYPE_CHECKING:
    from gradnorm.runs.catalogue import Catalogue, Entry


def runs(arguments: argparse.Namespace) -> int:
    """List the runs of a home, or do something with some of them."""
    from gradnorm.runs.store import RunStore

    store = RunStore(arguments.home)
    if arguments.action is not None:
        print(_ACTIONS[arguments.action](store.catalogue, arguments))
        return 0
    query = Query(
        text=arguments.search,
        **{key: getattr(arguments, key) for key in ("dataset", "method", "state", "tag", "group", "sort")},
        pinned=arguments.pinned,
        trashed=arguments.trash,
    )
    page = store.catalogue.find(query, max(1, arguments.limit))
    warn(store.damage())
    if arguments.json:
        write_json([_line(entry) for entry in page.entries], arguments.json)
        return 0
    for entry in page.entries:
        print(_text(entry))
    if page.pages > 1:
        warn(f"These are the first {len(page.entries):,} of {page.count:,} runs. --limit {page.count} lists all.")
    return 0


def _text(entry: Entry) -> str:
    info, labels = entry.info, entry.info.labels
    marks = "".join([f"  #{tag}" for tag in labels.tags]) + ("  pinned" if labels.pinned else "")
    return f"{info.run}  {info.state:<11}  {info.steps:>9,} steps  {labels.name or info.title}{marks}"


def _line(entry: Entry) -> dict[str, Any]:
    info = entry.info
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
        "task_normalized_loss": entry.loss,
        "group": entry.group.id if entry.group else None,
        "name": info.labels.name,
        "notes": info.labels.notes,
        "tags": list(info.labels.tags),
        "pinned": info.labels.pinned,
        "trashed": info.labels.trashed,
    }


def _name(catalogue: Catalogue, arguments: argparse.Namespace) -> str:
    catalogue.rename(arguments.run, arguments.text)
    return f"Named run {arguments.run}." if arguments.text.strip() else f"Took the name of run {arguments.run} away."


def _note(catalogue: Catalogue, arguments: argparse.Namespace) -> str:
    catalogue.note(arguments.run, arguments.text)
    return f"Wrote the notes of run {arguments.run}."


def _tag(catalogue: Catalogue, arguments: argparse.Namespace) -> str:
    catalogue.tag(arguments.runs, arguments.add.split(","), arguments.remove.split(","))
    return f"Changed the tags of {_count(arguments)}."


def _pin(catalogue: Catalogue, arguments: argparse.Namespace) -> str:
    catalogue.pin(arguments.runs)
    return f"Pinned {_count(arguments)}."


def _unpin(catalogue: Catalogue, arguments: argparse.Namespace) -> str:
    catalogue.pin(arguments.runs, False)
    return f"Unpinned {_count(arguments)}."


def _trash(catalogue: Catalogue, arguments: argparse.Namespace) -> str:
    catalogue.trash(arguments.runs)
    again = f"`gradnorm runs restore {' '.join(arguments.runs[:3])}{' …' if arguments.runs[3:] else ''}`"
    return f"Put {_count(arguments)} into the trash, to be deleted after {TRASH_DAYS} days. {again} brings them back."


def _restore(catalogue: Catalogue, arguments: argparse.Namespace) -> str:
    catalogue.restore(arguments.runs)
    return f"Brought back {_count(arguments)}."


def _empty(catalogue: Catalogue, arguments: argparse.Namespace) -> str:
    return f"Deleted {catalogue.empty():,} runs for good."


def _count(arguments: argparse.Namespace) -> str:
    count = len(arguments.runs)
    return f"run {arguments.runs[0]}" if count == 1 else f"{count:,} runs"


_ACTIONS: dict[str, Callable[[Catalogue, argparse.Namespace], str]] = {
    "name": _name,
    "note": _note,
    "tag": _tag,
    "pin": _pin,
    "unpin": _unpin,
    "trash": _trash,
    "restore": _restore,
    "empty-trash": _empty,
}
