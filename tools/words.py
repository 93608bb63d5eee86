"""Bring the tables of words up to date: texts that are new come in without a translation, those that are gone go.

usage: make words    writes assets/words/*.po, and says what is left to translate
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from gradnorm.config.options import options_of
from gradnorm.config.spec import RunSpec, datasets, methods
from gradnorm.config.variants import option_template
from gradnorm.runs.records import RunState
from gradnorm.studies.registry import KINDS
from gradnorm.ui.lesson.contents import steps, texts
from gradnorm.ui.words import ENGLISH

ROOT = Path(__file__).parents[1]
TABLES = ROOT / "assets" / "words"
# What marks a text, and how many of its arguments are one.
MARKS = {"t": 1, "tn": 2, "later": 1, "filled": 1}
# In a script, where eslint sees to it that a marked text is written as this finds it; and in a page.
IN_SCRIPT = re.compile(r'(?<![\w.$])(?:t|later)\(\s*"((?:[^"\\]|\\.)+)"')
IN_PAGE = re.compile(r'<(\w+)(?: [^>]*)? data-t>(.*?)</\1>|="([^"]*)" data-t="[\w-]+"', re.DOTALL)


def written() -> Catalog:
    """Return all texts to translate, each with where it is from."""
    catalog = Catalog(project="GradNorm, live", charset="utf-8")
    for text, source in (*in_code(), *in_scripts(), *in_pages(), *declared()):
        catalog.add(text, locations=[(source, 0)])
    return catalog


def in_code() -> Iterator[tuple[str | tuple[str, str], str]]:
    """Give the texts that are marked in Python, each with its file. A plural has two."""
    for path in sorted((*ROOT.glob("gradnorm/**/*.py"), *ROOT.glob("pages/*.py"), ROOT / "tools/static_site.py")):
        # Not by Babel, which does not see into f-strings.
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MARKS):
                continue
            given = [each.value for each in node.args[: MARKS[node.func.id]] if isinstance(each, ast.Constant)]
            marked = [text for text in given if isinstance(text, str) and text]
            if marked:
                yield (marked[0] if len(marked) == 1 else (marked[0], marked[1])), str(path.relative_to(ROOT))


def in_scripts() -> Iterator[tuple[str, str]]:
    """Give the texts that are marked in the pages' scripts, each with its file."""
    for path in scripts():
        for text in IN_SCRIPT.findall(path.read_text("utf-8")):
            yield json.loads(f'"{text}"'), str(path.relative_to(ROOT))


def scripts() -> list[Path]:
    """Return the pages' scripts that have texts."""
    return sorted(path for pattern in ("assets/*/*.js", "site/*.js") for path in ROOT.glob(pattern))


def in_pages() -> Iterator[tuple[str, str]]:
    """Give the texts of the site's pages: what is inside elements with `data-t`, or in the attribute that it names."""
    for page in sorted((ROOT / "site").glob("*.html")):
        for _, inside, attribute in IN_PAGE.findall(page.read_text("utf-8")):
            yield " ".join((inside or attribute).split()), str(page.relative_to(ROOT))


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
                if part != "study":
                    yield option_template(option.key), f"{name}:{option.key}"
    yield from ((state, "states of runs") for state in get_args(RunState))
    yield from ((texts(ENGLISH)[step.name].short, "steps of the lesson") for step in steps())


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
