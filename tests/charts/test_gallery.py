"""The gallery's maps as pure figures."""

import base64
import io
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from gradnorm.charts import gallery

NAMES = ("bed", "books", "ceiling")


def pixels(trace):
    """The colours that a trace's PNG has, [H, W, channels]."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(trace.source.split(",")[1]))))


def test_a_picture_is_sent_as_it_is():
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    figure = gallery.picture(image)
    assert (pixels(figure.data[0]) == image).all()
    assert figure.layout.xaxis.range == (-0.5, 6.5)
    assert figure.layout.yaxis.range == (4.5, -0.5)


def test_a_grey_picture_is_grey():
    image = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)
    assert (pixels(gallery.picture(image).data[0]) == image.repeat(3, -1)).all()


def test_depths_share_the_range_that_is_given_and_leave_the_unknown_striped():
    metres = np.array([[1.0, 2.0], [np.nan, 9.0]])
    span = gallery.limits(metres[:1])
    stripes, heat = gallery.depth(metres, span).data
    assert (heat.zmin, heat.zmax) == (1.0, 2.0)
    assert np.isnan(heat.z[1][0])
    assert heat.z[1][1] == 9
    assert "m" in heat.hovertemplate
    grey = pixels(stripes)
    assert (grey[..., 0] == grey[..., 1]).all()


@pytest.mark.parametrize(
    ("values", "expected"),
    [([[0.5, np.nan], [3.0, 2.0]], (0.5, 3.0)), ([[np.nan]], (0.0, 1.0)), ([[2.0, 2.0]], (2.0, 2.000001))],
)
def test_limits_are_of_what_is_known(values, expected):
    assert gallery.limits(np.array(values)) == pytest.approx(expected)


def test_normals_have_the_usual_colours():
    right, up, camera = [1.0, 0, 0], [0, -1.0, 0], [0, 0, -1.0]
    vectors = np.array([[right, up, camera, [np.nan] * 3]])
    _, trace = gallery.normals(vectors).data
    shown = pixels(trace)[0]
    assert shown[0].tolist() == [255, 128, 128, 255]
    assert shown[1].tolist() == [128, 255, 128, 255]
    assert shown[2].tolist() == [128, 128, 255, 255]
    # Where nothing is known the stripes show.
    assert shown[3, 3] == 0
    assert trace.customdata[0][1].tolist() == up
    assert len(gallery.normals(vectors[:, :3]).data) == 1


def test_stripes_cover_the_whole_map():
    stripes = gallery.depth(np.array([[1.0, np.nan, 2.0]] * 2), (1, 2)).data[0]
    height, width = pixels(stripes).shape[:2]
    assert stripes.dx == stripes.dy < 0.1
    # From the left edge of the first pixel, −0.5, to the right edge of the last.
    assert stripes.x0 - stripes.dx / 2 == pytest.approx(-0.5)
    assert stripes.x0 + (width - 0.5) * stripes.dx == pytest.approx(2.5)
    assert stripes.y0 + (height - 0.5) * stripes.dy == pytest.approx(1.5)
    assert len(gallery.depth(np.ones((2, 3)), (1, 2)).data) == 1


def test_the_ball_has_the_colours_of_its_directions():
    ball = np.asarray(Image.open(io.BytesIO(base64.b64decode(gallery.normal_ball(41).split(",")[1]))))
    assert ball[20, 20].tolist() == [128, 128, 255, 255]
    assert ball[20, 40, 0] > 245
    assert ball[20, 0, 0] < 10
    assert ball[0, 20, 1] > 245
    assert ball[0, 0, 3] == 0


def test_classes_are_named_and_have_a_colour_each():
    labels = np.array([[0, 2], [-1, 1]])
    _, heat = gallery.classes(labels, NAMES).data
    assert heat.text.tolist() == [["bed", "ceiling"], ["no label", "books"]]
    assert np.isnan(heat.z[1][0])
    # Class k lies in the middle of its own band of the scale.
    for label in (0, 1, 2):
        at = (label - heat.zmin) / (heat.zmax - heat.zmin)
        below = [color for place, color in heat.colorscale if place <= at][-1]
        above = next(color for place, color in heat.colorscale if place >= at)
        assert below == above == gallery.class_color(label)


def test_the_legend_names_what_occurs_anywhere():
    assert gallery.occurring(np.array([[0, -1]]), np.array([[2, 2]])) == [0, 2]
    assert gallery.occurring(np.full((2, 2), -1)) == []


def test_thirteen_classes_are_told_apart():
    colours = [bytes.fromhex(gallery.class_color(i)[1:]) for i in range(13)]
    for one, other in combinations(colours, 2):
        assert sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) > 40**2
    assert gallery.class_color(13) == gallery.class_color(0)


def test_mistakes_are_of_labelled_pixels_alone():
    truth, answer = np.array([[0, 1, -1]]), np.array([[0, 2, 2]])
    _, heat = gallery.mistakes(truth, answer, NAMES).data
    assert heat.z[0][:2].tolist() == [0, 1]
    assert np.isnan(heat.z[0][2])
    assert heat.text[0][0] == "bed"
    assert heat.text[0][1] == "ceiling, should be books"


def test_gaps_begin_at_nothing():
    (heat,) = gallery.gap(np.array([[0.0, 1.5]]), 2.0, "m").data
    assert (heat.zmin, heat.zmax) == (0, 2)
    assert heat.hovertemplate.startswith("off by %{z:.3g} m")


def test_points_lie_where_they_are_in_pixels():
    image = np.zeros((10, 20, 3), np.uint8)
    truth = np.array([[0.5, 0.5], [np.nan, np.nan], [0.0, 1.0]])
    answer = np.array([[0.525, 0.55], [0.1, 0.1], [0.2, 0.2]])
    _, _, rings, crosses = gallery.points(image, truth, answer, ["nose"]).data
    assert list(zip(rings.x, rings.y, strict=True)) == [(9.5, 4.5), (-0.5, 9.5)]
    # The second has no truth: its place in the answer means nothing.
    assert len(crosses.x) == 2
    assert (crosses.x[0], crosses.y[0]) == (10.0, 5.0)
    assert rings.text == ("nose, truth", "point 3, truth")
    assert rings.marker.color == crosses.marker.color
    assert len(gallery.points(image, truth).data) == 2


def test_large_maps_are_thinned():
    labels = np.arange(300 * 400).reshape(300, 400) % 3
    (heat,) = gallery.classes(labels, NAMES).data
    assert np.array_equal(heat.z, labels[::4, ::4])
