"""Two visitors of one server, each with a language of their own."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow


def test_two_visitors_with_two_languages(tab):
    german, english = tab("runs", lang="de"), tab("runs")
    for _ in range(2):
        assert [each.value for each in german.at.subheader] == ["Läufe"]
        assert [each.value for each in english.at.subheader] == ["Runs"]
        german.rerun()
        english.rerun()
    german.set("selectbox", "language", "en")
    assert [each.value for each in german.at.subheader] == ["Runs"]
    german.open("lesson")
    assert german.at.header[0].value == "Two tasks, one network"
    german.set("selectbox", "language", "de")
    assert german.at.header[0].value == "Zwei Tasks, ein Netz"
    english.open("lesson")
    assert english.at.header[0].value == "Two tasks, one network"
