"""The lesson's charts as pure figures."""

import pytest

from gradnorm.charts import lesson
from gradnorm.charts.lesson import Bars, Look
from gradnorm.charts.palette import task_style

NAMES = ("a", "b", "c")
FIRST = Bars(1, (1.0, 2.0, 9.0), (4.0, 4.0, 4.0))


def shown(figure):
    return {trace.name: trace for trace in figure.data if trace.visible is not False}


@pytest.mark.parametrize("dark", [False, True])
def test_a_line_a_task_in_its_colour_and_ghosts_in_none(dark):
    look = Look(dark=dark)
    figure = lesson.lines(
        [1, 2], [(0.9, 0.8), (0.5, 0.4)], ("a", "b"), look, title="T", unit="u", ghosts=[("ghost", (0.7, 0.6))]
    )
    lines = shown(figure)
    assert list(lines) == ["ghost", "a", "b"]
    styles = [task_style(0), task_style(1)]
    assert [lines[n].line.color for n in "ab"] == [s.dark if dark else s.light for s in styles]
    assert list(lines["b"].y) == [0.8, 0.4]
    assert lines["ghost"].line.dash == "dot"
    assert (figure.layout.title.text, figure.layout.yaxis.title.text) == ("T", "u")
    assert figure.layout.xaxis.title.text == "step t"


def test_a_level_is_drawn_and_a_log_axis_is_one():
    figure = lesson.lines([1], [(1.0,)], ("a",), Look(), title="", unit="", level=1.0, log=True)
    assert [shape.y0 for shape in figure.layout.shapes] == [1.0]
    assert figure.layout.yaxis.type == "log"


def test_bars_are_norms_and_marks_are_centred_on_targets():
    figure = lesson.norm_bars(FIRST, NAMES, Look(), 10.0)
    bars, marks, arrows = figure.data
    assert list(bars.y) == [1.0, 2.0, 9.0]
    assert list(bars.marker.color) == [task_style(i).light for i in range(3)]
    assert [base + y / 2 for base, y in zip(marks.base, marks.y, strict=True)] == pytest.approx([4.0] * 3)
    assert list(arrows.y) == [1.0, 4.0, None, 2.0, 4.0, None, 9.0, 4.0, None]
    assert figure.layout.yaxis.range == (0, 10.0)
    assert figure.layout.title.text.endswith("after 1 steps")


def test_without_targets_there_are_no_marks():
    figure = lesson.norm_bars(Bars(1, (1.0, 2.0, 3.0)), NAMES, Look(), 4.0)
    assert list(shown(figure)) == ["norm"]


def test_dots_are_a_cloud_a_task():
    figure = lesson.dots([((1, 2), (3, 4)), ((5,), (6,))], ("a", "b"), Look(), title="T", x="across", y="up")
    assert [(list(trace.x), list(trace.y)) for trace in figure.data] == [([1, 2], [3, 4]), ([5], [6])]
    assert len({trace.marker.symbol for trace in figure.data}) == 2


def test_scores_stand_at_the_place_of_their_stop_and_a_class_below_them():
    marks = [("yours", ["b", "a"], [1.0, 2.0])]
    figure = lesson.scores(marks, Look(), "abc", title="T", x="x", y="y", level=("rival", 0.5))
    level, yours = figure.data
    assert list(level.y) == [0.5, 0.5]
    assert list(zip(yours.x, yours.y, strict=True)) == [("b", 1.0), ("a", 2.0)]
    assert figure.layout.xaxis.categoryarray == ("a", "b", "c")
    lesson.add_votes(figure, {"c": 2, "a": 1}, Look())
    votes = figure.data[-1]
    assert list(zip(votes.x, votes.y, strict=True)) == [("c", 0.5), ("c", 1.5), ("a", 0.5)]
    assert votes.yaxis == "y2"


def test_a_large_class_stays_in_the_chart():
    figure = lesson.class_strip({"a": 300, "b": 1}, "abc", "x", Look())
    assert max(figure.data[-1].y) < figure.layout.yaxis2.range[1]
    assert len(figure.data[-1].y) == 301


def test_the_mean_norm_is_a_line_across():
    figure = lesson.target_bars(FIRST, NAMES, Look(), 10.0)
    assert [shape.y0 for shape in figure.layout.shapes] == [4.0]
    assert "Ḡ" in figure.layout.annotations[0].text


def test_each_run_has_a_stem_from_its_lowest_to_its_highest_task():
    ratios = [(0.5, 0.2, 0.4), (0.3, 0.3, 0.1)]
    figure = lesson.spread(["equal", "1"], ratios, NAMES, Look(), ["equal", "0", "1"], "α")
    stems, *points = figure.data
    assert list(stems.y) == [0.2, 0.5, None, 0.1, 0.3, None]
    assert [list(p.y) for p in points] == [[0.5, 0.3], [0.2, 0.3], [0.4, 0.1]]
    assert len({p.marker.symbol for p in points}) == 3
    # Room is kept for the run that is not there yet.
    assert list(figure.layout.xaxis.categoryarray) == ["equal", "0", "1"]
    assert tuple(figure.layout.xaxis.range) == (-0.5, 2.5)
