"""Bring the tables of words up to date: texts that are new come in without a translation, those that are gone go.

usage: make words    writes assets/words/*.po, and says what is left to translate
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from gradnorm.config.options import options_of
from gradnorm.config.spec import RunSpec, datasets, methods
from gradnorm.runs.records import RunState
from gradnorm.studies.registry import KINDS
from gradnorm.ui.lesson.contents import steps, texts
from gradnorm.ui.words import ENGLISH

ROOT = Path(__file__).parents[1]
TABLES = ROOT / "assets" / "words"
# What marks a text, and which of its arguments are one.
KEYWORDS = {"t": None, "tn": (1, 2), "later": None, "filled": None}
_SOURCES = [("gradnorm/**.py", "python"), ("pages/**.py", "python"), ("assets/live/**.js", "javascript")]
_SOURCES += [("assets/*.js", "javascript"), ("site/**.js", "javascript")]


def written() -> Catalog:
    """Return all texts to translate, each with where it is from."""
    catalog = Catalog(project="GradNorm, live", charset="utf-8")
    found = extract_from_dir(ROOT, _SOURCES, keywords=KEYWORDS, directory_filter=_is_ours)
    for file, _, text, _, _ in sorted(found, key=lambda each: (each[0], each[1])):
        catalog.add(text, locations=[(file, 0)])
    for text, source in declared():
        catalog.add(text, locations=[(source, 0)])
    return catalog


def declared() -> Iterator[tuple[str, str]]:
    """Give the texts that declarations hold, each with what declares it."""
    data, ways = datasets(), methods()
    for name, kind in (*data.items(), *ways.items(), *KINDS.items()):
        yield from ((text, name) for text in (kind.title, kind.summary))
    for name, kind in data.items():
        # What it says where its options are worth a word.
        if advice := kind.model_construct(units="raw", output_scale=False).advice:
            yield advice, name
    for part, kinds in (("dataset", data), ("method", ways), ("study", KINDS), ("run", {"every run": RunSpec})):
        for name, kind in kinds.items():
            for option in options_of(part, kind):
                yield from ((text, f"{name}:{option.key}") for text in (option.title, option.help) if text)
    yield from ((state, "states of runs") for state in get_args(RunState))
    yield from ((texts(ENGLISH)[step.name].short, "steps of the lesson") for step in steps())


def _is_ours(folder: str) -> bool:
    return Path(folder).name not in ("node_modules", "vendor", "build") and not Path(folder).name.startswith(".")


def read(path: Path) -> Catalog:
    """Return a table."""
    with path.open("rb") as file:
        return read_po(file, locale=path.stem)


def main() -> None:
    """Write each table anew."""
    template = written()
    for path in sorted(TABLES.glob("*.po")):
        table = read(path)
        table.update(template, no_fuzzy_matching=True, update_creation_date=False)
        with path.open("wb") as file:
            write_po(file, table, width=120, sort_output=True, include_lineno=False, ignore_obsolete=True)
        missing = [message.id for message in table if message.id and not message.string]
        print(f"{path.relative_to(ROOT)}: {len(table)} texts, {len(missing)} of them to translate")


if __name__ == "__main__":
    main()
