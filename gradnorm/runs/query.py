"""What runs to list, and in which order: a `Query`, its form in an address, and the words of its search box."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, Literal, NamedTuple, Self, cast, get_args

Sort = Literal["newest", "name", "loss", "steps", "duration"]
SORTS: tuple[Sort, ...] = get_args(Sort)

_PIECES = re.compile(r'"([^"]*)"|(\S+)')
_SETTING = re.compile(r"([A-Za-z_]\w*)(<=|>=|=|<|>)(.+)", re.ASCII)


@dataclass(frozen=True)
class Query:
    """Which runs are listed, and how.

    text: the search box; a run matches if it matches each of `terms(text)`.
    dataset, method, state, tag: a name that it should have; "" for any.  pinned: only those that are.
    group: the id of a study or race, or of the run that a tree of forks begins with; "" for all.
    trashed: those in the trash in place of the others.  page: from 1.
    """

    text: str = ""
    dataset: str = ""
    method: str = ""
    state: str = ""
    tag: str = ""
    group: str = ""
    pinned: bool = False
    trashed: bool = False
    sort: Sort = "newest"
    page: int = 1

    @classmethod
    def parse(cls, address: Mapping[str, str]) -> Self:
        """Return the query that an address spells, as `address` does; what makes no sense there is left out."""
        texts = {each.name: address[key] for each, key in _KEYS if each.type == "str" and key in address}
        flags = {each.name: address.get(key) == "1" for each, key in _KEYS if each.type == "bool"}
        sort, page = address.get("sort", ""), address.get("page", "")
        return cls(
            **cast("Any", texts | flags),
            sort=sort if sort in SORTS else "newest",
            page=int(page) if re.fullmatch(r"[1-9]\d{0,8}", page, re.ASCII) else 1,
        )

    def address(self) -> dict[str, str]:
        """Return the query by keys of an address, without what is as usual."""
        values = {key: getattr(self, each.name) for each, key in _KEYS if getattr(self, each.name) != each.default}
        return {key: "1" if value is True else str(value) for key, value in values.items()}

    @property
    def narrowed(self) -> bool:
        """Whether it leaves out some of the runs."""
        return bool(self.text or self.dataset or self.method or self.state or self.tag or self.group or self.pinned)


# An address may still have the settings of the Playground, "dataset" and "method" among them.
_SPELLED = {"text": "q", "trashed": "trash", "dataset": "data", "method": "by"}
_KEYS = [(each, _SPELLED.get(each.name, each.name)) for each in fields(Query)]


class Setting(NamedTuple):
    """A term such as alpha=0.5: a key of the spec, how it compares, and with what."""

    key: str
    comparison: str
    wanted: str


def terms(text: str) -> list[str | Setting]:
    """Return the terms of a search box: words, "several words" in quotes, and settings such as alpha>=0.5.

    A word is to be part of a run's id, title, name, notes, tags, data set or method, in capitals or not.
    """
    found: list[str | Setting] = []
    for quoted, bare in _PIECES.findall(text):
        setting = _SETTING.fullmatch(bare)
        if setting:
            found.append(Setting(*setting.groups()))
        elif quoted or bare:
            found.append(folded(quoted or bare))
    return found


def folded(text: str) -> str:
    """Return a text as it is compared: without the difference of capitals."""
    return text.casefold()


# Runs have few different values of a setting, and this is asked of each run.
@lru_cache(maxsize=4096)
def meets(value: str | None, comparison: str, wanted: str) -> bool:
    """Whether a setting compares so with what is wanted: as numbers if both are, else as texts, which have no order.

    value: as JSON; None if the spec lacks it.  wanted: the items of a list are separated by commas.
    """
    try:
        plain = json.loads(value or "")
    except ValueError:  # none, or one that is damaged
        return False
    with suppress(ValueError, TypeError):
        return _compare(float(plain), comparison, float(wanted))
    if comparison != "=":
        return False
    if isinstance(plain, list):
        items = [each for each in wanted.split(",") if each]
        pairs = zip(cast("list[Any]", plain), items, strict=False)
        return len(plain) == len(items) and all(meets(json.dumps(one), "=", item) for one, item in pairs)
    return folded(plain if isinstance(plain, str) else str(value)) == folded(wanted)


def _compare(value: float, comparison: str, wanted: float) -> bool:
    return {
        "=": value == wanted,
        "<": value < wanted,
        ">": value > wanted,
        "<=": value <= wanted,
        ">=": value >= wanted,
    }[comparison]
