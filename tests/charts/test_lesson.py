"""The lesson's charts as pure figures."""

import pytest

from gradnorm.charts import lesson
from gradnorm.charts.lesson import Bars, Look
from gradnorm.charts.palette import task_style

NAMES = ("a", "b", "c")
FIRST = Bars(1, (1.0, 2.0, 9.0), (4.0, 4.0, 4.0))
LAST = Bars(9, (4.0, 5.0, 3.0), (4.0, 4.5, 3.5))


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


def test_of_two_charts_one_has_the_legend():
    def height(**options):
        return lesson.lines([1], [(1.0,)], ("a",), Look(), title="", unit="", **options).layout.height

    assert height(short=True, legend=False) < height(short=True) < height()


def test_bars_are_norms_and_marks_are_centred_on_targets():
    figure = lesson.norm_bars([FIRST, LAST], 0, NAMES, Look())
    bars, marks, arrows = figure.data
    assert list(bars.y) == [1.0, 2.0, 9.0]
    assert list(bars.marker.color) == [task_style(i).light for i in range(3)]
    assert [base + y / 2 for base, y in zip(marks.base, marks.y, strict=True)] == pytest.approx([4.0] * 3)
    assert list(arrows.y) == [1.0, 4.0, None, 2.0, 4.0, None, 9.0, 4.0, None]


def test_playing_moves_the_bars_on_an_axis_that_stands_still():
    figure = lesson.norm_bars([FIRST, LAST], 1, NAMES, Look())
    assert [frame.name for frame in figure.frames] == ["1", "9"]
    assert list(figure.frames[0].data[0].y) == [1.0, 2.0, 9.0]
    assert list(figure.data[0].y) == [4.0, 5.0, 3.0]
    assert {len(frame.data) for frame in figure.frames} == {len(figure.data)}
    assert figure.layout.yaxis.range[1] > 9
    assert figure.layout.title.text.endswith("step 9")
    assert figure.frames[0].layout.title.text.endswith("step 1")
    assert [button.method for button in figure.layout.updatemenus[0].buttons] == ["animate", "animate"]


def test_without_targets_there_are_no_marks():
    figure = lesson.norm_bars([Bars(1, (1.0, 2.0, 3.0))], 0, NAMES, Look())
    assert list(shown(figure)) == ["norm"]


def test_no_moment_is_an_error():
    with pytest.raises(ValueError, match="at least one"):
        lesson.norm_bars([], 0, NAMES, Look())


def test_the_mean_norm_is_a_line_across():
    figure = lesson.target_bars(FIRST, NAMES, Look())
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


@pytest.mark.parametrize(
    "draw",
    [
        lambda look: lesson.lines([1], [(1.0,)], ("a",), look, title="", unit=""),
        lambda look: lesson.norm_bars([FIRST], 0, NAMES, look),
        lambda look: lesson.target_bars(FIRST, NAMES, look),
        lambda look: lesson.spread(["1"], [(0.1, 0.2, 0.3)], NAMES, look, ["1"], ""),
    ],
)
def test_a_lecture_room_gets_larger_letters(draw):
    small, large = draw(Look()).layout, draw(Look(large=True)).layout
    assert large.font.size >= 20 > small.font.size
    assert large.height > small.height
    assert large.xaxis.tickfont.size > small.xaxis.tickfont.size
