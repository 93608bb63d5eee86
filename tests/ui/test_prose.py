"""The lesson's words: what a file has to hold, and that all of ours hold it."""

from __future__ import annotations

import pytest

from gradnorm.ui.lesson import prose
from gradnorm.ui.lesson.contents import steps

GOOD = "# Title\n\nText.\n\n## Try\nDo.\n\n## Question\nWhy?\n- [ ] A\n- [x] B\n\n## Answer\nSo.\n"


def test_a_file_is_title_text_and_three_sections():
    words = prose.parse(GOOD, "1-a.md", "A")
    assert words == prose.Prose("A", "Title", "Text.", "Do.", "Why?", "So.", ("A", "B"), 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "begin with '# '"),
        (GOOD.removeprefix("# "), "begin with '# '"),
        (GOOD.replace("## Try\nDo.\n\n", ""), "Found Question, Answer"),
        (GOOD.replace("Question", "Answer"), "Found Try, Answer, Answer"),
        ("# Title\nText.", "Found none"),
        (GOOD.replace("Text.", ""), "under text"),
        (GOOD.replace("So.", ""), "under Answer"),
        (GOOD.replace("[x]", "[ ]"), "Found 2, 0 ticked"),
        (GOOD.replace("[ ]", "[x]"), "Found 2, 2 ticked"),
        (GOOD.replace("- [ ] A\n", ""), "Found 1, 1 ticked"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(text, said):
    with pytest.raises(prose.ProseError, match=said) as error:
        prose.parse(text, "1-a.md")
    assert "1-a.md" in str(error.value)


def test_steps_are_read_in_the_order_of_their_numbers(tmp_path):
    for i in range(1, 12):
        (tmp_path / f"{i}-step-{i}.md").write_text(GOOD)
    read = prose.read(tmp_path)
    assert list(read) == [f"step-{i}" for i in range(1, 12)]
    assert [words.short for words in read.values()] == [f"Step {i}" for i in range(1, 12)]
    (tmp_path / "3-step-3.md").unlink()
    with pytest.raises(prose.ProseError, match="2, 4"):
        prose.read(tmp_path)


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(prose.ProseError, match="nothing"):
        prose.read(tmp_path)


def test_the_lesson_has_short_steps():
    assert len(steps()) == 11
    for step in steps():
        words = step.words
        assert len(words.text.split()) < 110, words.title
        assert words.question.endswith(("?", ".", "…")), words.title
        assert words.text.count("$") % 2 == 0
        assert len(set(words.options)) == 3
