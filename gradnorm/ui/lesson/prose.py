"""The lesson's texts: Markdown files with a title, a text and the sections Try, Question and Answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

SECTIONS = ("Try", "Question", "Answer")
_OPTION = re.compile(r"^- \[([ x])\] +(.+?) *$", re.MULTILINE)


class ProseError(ValueError):
    """A malformed lesson file. The message says what it should hold and what was sections."""


@dataclass(frozen=True)
class Prose:
    """The texts of one step, in Markdown.

    short: the name in the list of steps.  title: the heading.  text: the explanation.  attempt: what to try.
    options: what the question may be answered with.  right: the index of the one that is so, from 0.
    """

    short: str
    title: str
    text: str
    attempt: str
    question: str
    answer: str
    options: tuple[str, ...]
    right: int


def parse(text: str, source: str, short: str = "") -> Prose:
    """Parse a lesson file: "# title", text, then "## Try", "## Question" and "## Answer".

    The question ends with its options, "- [ ] …" each, of which one is ticked: "- [x] …".
    text: the file's content.  source: the file's name, for messages.  short: the step's name; the title if empty.
    Raises ProseError if the title, the text or a section is missing, empty or out of order, or no option is ticked.
    """
    heading, _, rest = text.strip().partition("\n")
    if not heading.startswith("# ") or not heading[2:].strip():
        raise ProseError(f"{source} should begin with '# ' and a title. Found {heading[:40]!r}.")
    parts = re.split(r"^## +(.+?) *$", rest, flags=re.MULTILINE)
    sections = tuple(parts[1::2])
    if sections != SECTIONS:
        raise ProseError(
            f"{source} should have the sections {', '.join(SECTIONS)}. Found {', '.join(sections) or 'none'}."
        )
    bodies = [part.strip() for part in (parts[0], *parts[2::2])]
    for name, body in zip(("text", *SECTIONS), bodies, strict=True):
        if not body:
            raise ProseError(f"{source} should say something under {name}. Found nothing.")
    told, attempt, asked, answer = bodies
    options = _OPTION.findall(asked)
    ticked = [i for i, (mark, _) in enumerate(options) if mark == "x"]
    if len(ticked) != 1 or len(options) < 2:
        raise ProseError(
            f"{source} should ask with two options or more, one of them ticked: '- [x] …'. "
            f"Found {len(options)}, {len(ticked)} ticked."
        )
    title, question = heading[2:].strip(), _OPTION.sub("", asked).strip()
    return Prose(short or title, title, told, attempt, question, answer, tuple(o for _, o in options), ticked[0])


def read(folder: Path) -> dict[str, Prose]:
    """Return the steps in a folder by name, in order, from its files N-name.md for N = 1, 2, ….

    Raises ProseError if there are no files, a number is missing, or a file is malformed.
    """
    files = sorted(folder.glob("*.md"), key=lambda path: (len(path.name.split("-")[0]), path.name))
    numbers = [path.name.split("-")[0] for path in files]
    if not files or numbers != [str(i + 1) for i in range(len(files))]:
        raise ProseError(f"{folder} should hold 1-….md, 2-….md and so on. Found {', '.join(numbers) or 'nothing'}.")
    names = [path.stem.partition("-")[2] for path in files]
    return {
        name: parse(path.read_text(encoding="utf-8"), path.name, name.replace("-", " ").capitalize())
        for name, path in zip(names, files, strict=True)
    }
