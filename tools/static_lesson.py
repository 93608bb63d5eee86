"""Writes the lesson for the static site: its texts as HTML, and a picture for each place of its controls.

In the dashboard a step's picture is made when it is asked for. Here nobody can be asked, so all are made beforehand.
There are few, since sliders have few stops.
"""

from __future__ import annotations

import itertools
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import plotly
from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from gradnorm.charts.lesson import Look
from gradnorm.config.spec import RunSpec
from gradnorm.ui.figure_words import in_words
from gradnorm.ui.lesson.contents import Step, steps
from gradnorm.ui.lesson.trial import Control, Picture, Slider, Values
from gradnorm.ui.words import languages, speaking, t

LOOKS = {"light": Look(dark=False), "dark": Look(dark=True)}
# No more digits than a picture shows: files are a third as large.
_DIGITS = 5


def write(folder: Path) -> None:
    """Write the lesson to a folder: for each language CODE the texts as CODE.json, and pictures as CODE/STEP-LOOK.json.

    Plotly's script, which draws them, is copied there as well.
    """
    folder.mkdir(parents=True)
    shutil.copy(Path(plotly.__file__).parent / "package_data" / "plotly.min.js", folder)
    for code in languages():
        (folder / code).mkdir()
        with speaking(code):
            _save(folder / f"{code}.json", [_told(step) for step in steps()])
            for step, (name, look) in itertools.product(steps(), LOOKS.items()):
                _save(folder / code / f"{step.name}-{name}.json", dict(_pictures(step, look)))


def _save(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")


def _told(step: Step) -> dict[str, Any]:
    """Return a step's texts as HTML, and what its controls are."""
    words = step.words
    return {
        "name": step.name,
        "short": t(words.short),
        "title": _line(words.title),
        "text": _html(words.text),
        "attempt": _html(words.attempt),
        "question": _line(words.question),
        "options": [_line(option) for option in words.options],
        "right": words.right,
        "answer": _html(words.answer),
        "across": step.trial.across,
        "slider": step.trial.slider.key,
        "controls": [_control(control) for control in step.trial.controls],
    }


def _control(control: Control) -> dict[str, Any]:
    """Return a control: how the address spells each of its values, and how the page does."""
    return {
        "key": control.key,
        "label": t(control.label),
        "slides": isinstance(control, Slider),
        "start": control.spelled(control.start),
        "values": [{"value": control.spelled(value), "text": control.text(value)} for value in _values(control)],
    }


def _values(control: Control) -> list[Any]:
    return list(control.stops if isinstance(control, Slider) else control.names)


def _pictures(step: Step, look: Look) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the picture of each place of a step's controls, by their values as the address spells them."""
    controls = step.trial.controls
    for values in itertools.product(*map(_values, controls)):
        place = {control.key: value for control, value in zip(controls, values, strict=True)}
        name = " ".join(control.spelled(value) for control, value in zip(controls, values, strict=True))
        yield name, _drawn(step, place, look)


def _drawn(step: Step, place: Values, look: Look) -> dict[str, Any]:
    """Return a picture with all stops tried: the page leaves out those that were not."""
    slider = step.trial.slider
    picture: Picture = step.trial.picture(place, slider.stops if step.trial.across else [place[slider.key]], look)
    return {
        "figures": [{"alt": alt, **_figure(figure)} for figure, alt in picture.figures],
        "reading": _line(picture.reading),
        "settings": urlencode(RunSpec.parse(picture.settings).query()) if picture.settings else "",
        "scores": {slider.spelled(stop): score for stop, score in picture.scores.items()},
    }


def _figure(figure: Any) -> dict[str, Any]:
    """Return a Plotly figure in the visitor's language, without its template: its page has the colours."""
    drawn = in_words(figure).update_layout(template="none").to_json()
    return json.loads(drawn, parse_float=lambda text: float(f"{float(text):.{_DIGITS}g}"))


def _math(formula: str, options: dict[str, Any]) -> str:
    """Return a formula as MathML, with the space that stands between a function and its argument."""
    made = convert(formula, display="block" if options["display_mode"] else "inline")
    return _FUNCTION.sub(r'\1<mo>&#x2061;</mo><mspace width="0.167em"/>', made)


_FUNCTION = re.compile(r"(<mi>(?:sin|cos|tanh|exp|log)</mi>)(?=<m[in]>)")
# A formula with the comma or the full stop after it, which may not begin a line.
_WITH_MARK = re.compile(r'(<span class="math inline">(?:(?!</span>).)*</span>[.,;:?!)]+)', re.DOTALL)
_MARKDOWN = MarkdownIt("commonmark").use(dollarmath_plugin, renderer=_math)


def _html(text: str) -> str:
    return _WITH_MARK.sub(r'<span class="together">\1</span>', _MARKDOWN.render(text))


def _line(text: str) -> str:
    return _WITH_MARK.sub(r'<span class="together">\1</span>', _MARKDOWN.renderInline(text))
