"""The tables of words: complete, with what is to be filled in, and each visitor gets those of one language."""

from __future__ import annotations

import ast
import json
import re
import string

import pytest

from gradnorm.config.spec import RunSpec, SpecError
from gradnorm.ui import words
from gradnorm.ui.lesson import prose
from gradnorm.ui.lesson.contents import texts
from gradnorm.ui.location import assets
from tests.factories import ROOT
from tools.words import IN_SCRIPT, MARKS, TABLES, in_pages, in_scripts, read, written

CODES = sorted(path.stem for path in TABLES.glob("*.po"))


def ids(catalog):
    return {message.id if isinstance(message.id, str) else tuple(message.id) for message in catalog if message.id}


def forms(value):
    return [value] if isinstance(value, str) else list(value)


def filled(text):
    """Return what is put into a text, each with how it is written."""
    return sorted((name, form) for _, name, form, _ in string.Formatter().parse(text) if name)


def test_there_is_german():
    assert "de" in CODES


@pytest.mark.parametrize("code", CODES)
def test_a_table_has_every_text_and_no_other(code):
    """If this fails, `make words` puts new texts into the tables, and takes out those that are gone."""
    table, template = ids(read(TABLES / f"{code}.po")), ids(written())
    assert sorted(map(str, template - table)) == []
    assert sorted(map(str, table - template)) == []


@pytest.mark.parametrize("code", CODES)
def test_every_text_is_translated_with_what_it_is_filled_with(code):
    for message in read(TABLES / f"{code}.po"):
        if not message.id:
            continue
        assert not message.fuzzy, message.id
        assert all(forms(message.string)), message.id
        for text in forms(message.string):
            wanted = filled(forms(message.id)[-1]) if isinstance(message.id, tuple | list) else filled(message.id)
            if not isinstance(message.id, str):  # "{count}" and "{count:,}" are the same number
                assert {name for name, _ in filled(text)} == {name for name, _ in wanted}, message.id
            else:
                assert filled(text) == wanted, message.id
            assert text.count("`") == forms(message.id)[0].count("`"), message.id
            assert text.count("**") == forms(message.id)[0].count("**"), message.id


def test_texts_are_written_where_they_are_translated():
    """`t(f"…")` or `t("…" + name)` could not be in any table. Of scripts eslint says so."""
    wrong = []
    for path in (*ROOT.glob("gradnorm/**/*.py"), *ROOT.glob("pages/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MARKS):
                continue
            given = node.args[: MARKS[node.func.id]]
            wrong += [
                f"{path.relative_to(ROOT)}:{node.lineno}"
                for text in given
                if isinstance(text, ast.JoinedStr | ast.BinOp) or (isinstance(text, ast.Constant) and not text.value)
            ]
    assert wrong == []


def test_scripts_get_their_texts_and_no_others():
    table = json.loads(words.in_scripts("de"))
    assert table["smoothed"] == "geglättet"
    assert set(table) >= {text for text, _ in (*in_scripts(), *in_pages())}
    # What the server tells of a run: how it ended, its method, its tasks.
    assert table["Finished all {taken:,} steps."] == "Alle {taken:,} Schritte getan."
    assert table["Equal weights"] == "Gleiche Gewichte"
    assert table["task {number}"] == "Task {number}"
    assert "Cancel" not in table
    assert json.loads(words.in_scripts("de", {"Cancel"}))["Cancel"] == "Abbrechen"


def test_a_marked_text_is_found_in_a_script_wherever_it_stands(tmp_path):
    script = 'const a = `${t("one")} ${later( "two \\" {x}", { x })}`; at("three"); page.t("four"); t(five);'
    assert IN_SCRIPT.findall(script) == ["one", 'two \\" {x}']


def test_english_needs_no_table():
    assert words.t("Runs") == "Runs"
    assert words.t("{count:,} runs", count=1234.5) == "1,234.5 runs"
    assert words.tn("{count} page is here.", "{count} pages are here.", 1) == "1 page is here."
    assert words.tn("{count} page is here.", "{count} pages are here.", 2) == "2 pages are here."
    assert words.t("") == ""


def test_german_numbers(monkeypatch):
    monkeypatch.setattr(words, "language", lambda: "de")
    assert words.t("{count:,} runs", count=1234.5) == "1.234,5 Läufe"
    assert words.tn("{count} page is here.", "{count} pages are here.", 1) == "1 Seite ist da."
    assert words.tn("{count} page is here.", "{count} pages are here.", 2) == "2 Seiten sind da."
    assert words.number(0.5, ".0%") == "50\xa0%"
    assert words.enumerated([words.number(0.5), words.number(2.5)]) == "0,5; 2,5"
    # What is text already is left alone.
    assert words.t("{name}: {value} from the script's next step on.", name="a.b", value="0.5").startswith("a.b: 0.5 ")


@pytest.mark.parametrize("code", CODES)
def test_the_lesson_is_the_same_in_each_language(code):
    ours, english = texts(code), texts(words.ENGLISH)
    assert ours is not english
    assert (assets() / "prose" / code / "lesson").is_dir()
    for name, step in ours.items():
        other = english[name]
        assert step.title != other.title, name
        assert step.right == other.right, name
        assert len(step.options) == len(other.options) == len(set(step.options)), name
        assert len(step.text.split()) < 120, name
        for part in ("text", "attempt", "question", "answer"):
            here, there = getattr(step, part), getattr(other, part)
            assert here != there, (name, part)
            assert structure(here) == structure(there), (name, part)


def structure(text):
    """Return what has to be alike: formulas in display, items and what is bold."""
    return (text.count("$$"), len(re.findall("^- ", text, re.MULTILINE)), text.count("**"), text.count("$") % 2)


def test_a_language_without_a_lesson_of_its_own_has_the_english_one():
    assert list(texts("xx")) == list(prose.read(assets() / "prose" / "lesson"))


def test_a_value_out_of_range_is_said_in_german(monkeypatch):
    with pytest.raises(SpecError) as found:
        RunSpec.parse({"alpha": 9})
    assert words.on_page(found.value).startswith("alpha should be in [0, 5]. Found 9.")
    monkeypatch.setattr(words, "language", lambda: "de")
    assert words.on_page(found.value).startswith("alpha sollte in [0, 5] sein. Gefunden: 9.")
