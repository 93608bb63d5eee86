"""The lesson's files: they say and show what the dashboard's lesson does."""

from __future__ import annotations

import html
import itertools
import json
import re
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from gradnorm import RunSpec
from gradnorm.charts.lesson import Look
from gradnorm.ui.lesson.contents import find, steps, texts
from gradnorm.ui.lesson.trial import Slider
from gradnorm.ui.words import speaking

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*ScriptRunContext")]


@pytest.fixture(scope="module")
def lesson(site) -> Path:
    return site / "lesson"


def pictures(lesson: Path, code: str, name: str, look: str = "light"):
    return json.loads((lesson / code / f"{name}-{look}.json").read_text(encoding="utf-8"))


def test_there_is_a_picture_for_each_place_of_the_controls(lesson):
    for code, look in itertools.product(("en", "de"), ("light", "dark")):
        for told in json.loads((lesson / f"{code}.json").read_text(encoding="utf-8")):
            stops = [[each["value"] for each in control["values"]] for control in told["controls"]]
            places = {" ".join(place) for place in itertools.product(*stops)}
            assert pictures(lesson, code, told["name"], look).keys() == places
            for control in told["controls"]:
                assert control["start"] in [each["value"] for each in control["values"]]


def test_texts_are_those_of_the_lesson_in_each_language(lesson):
    for code in ("en", "de"):
        told = json.loads((lesson / f"{code}.json").read_text(encoding="utf-8"))
        assert [each["name"] for each in told] == [step.name for step in steps()]
        for each in told:
            words = texts(code)[each["name"]]
            assert each["right"] == words.right
            assert len(each["options"]) == len(words.options)
            for part in ("title", "text", "attempt", "question", "answer"):
                outside = re.sub(r"\$\$.*?\$\$|\$.*?\$", " ", getattr(words, part), flags=re.DOTALL)
                read = html.unescape(re.sub(r"<math.*?</math>|<[^>]+>", " ", each[part], flags=re.DOTALL))
                assert re.findall(r"\w+", read) == re.findall(r"\w+", outside)
                assert not re.search(r"\$|\\\w|\*\*|`", each[part]), each[part]
    assert told[1]["title"] == texts("de")["drowning"].title != texts("en")["drowning"].title


def test_formulas_are_mathml(lesson):
    target = next(each for each in json.loads((lesson / "en.json").read_text()) if each["name"] == "target")
    assert '<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">' in target["text"]
    assert "<mfrac>" in target["text"]
    equation = next(each for each in json.loads((lesson / "en.json").read_text()) if each["name"] == "equation")
    assert '<mi>sin</mi><mo>&#x2061;</mo><mspace width="0.167em"/><mi>x</mi>' in equation["text"]


@pytest.mark.parametrize("name", ["norms", "alpha", "by-hand", "limits"])
def test_pictures_are_those_of_the_dashboard(lesson, name):
    trial = find(name).trial
    controls = trial.controls
    values = {
        control.key: (control.stops[-1] if isinstance(control, Slider) else control.start) for control in controls
    }
    place = " ".join(control.spelled(values[control.key]) for control in controls)
    tried = trial.slider.stops if trial.across else [values[trial.slider.key]]
    with speaking("de"):
        wanted = trial.picture(values, tried, Look(dark=True))
    found = pictures(lesson, "de", name, "dark")[place]
    assert len(found["figures"]) == len(wanted.figures)
    for drawn, (figure, alt) in zip(found["figures"], wanted.figures, strict=True):
        assert drawn["alt"] == alt
        assert len(drawn["data"]) == len(figure.data)
        for line, trace in zip(drawn["data"], figure.data, strict=True):
            # A gap in a line is None.
            for one, other in zip(line["y"], trace.y, strict=True):
                assert one is other is None or one == pytest.approx(other, rel=1e-4)
    numbers = re.findall(r"[\d.,]+", re.sub(r"<[^>]+>", "", found["reading"]))
    assert numbers == re.findall(r"[\d.,]+", wanted.reading)
    assert found["scores"] == {trial.slider.spelled(stop): score for stop, score in wanted.scores.items()}
    assert RunSpec.parse(dict(parse_qsl(found["settings"]))) == RunSpec.parse(wanted.settings)


def test_only_by_hand_has_scores(lesson):
    for step in steps():
        some = next(iter(pictures(lesson, "en", step.name).values()))
        assert bool(some["scores"]) == (step.name == "by-hand")
