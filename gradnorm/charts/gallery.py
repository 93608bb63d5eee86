"""Pictures and maps for the gallery: numpy arrays → plotly Figure. Pixels without ground truth are striped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.utils import image_array_to_data_uri

from gradnorm.charts.palette import task_style

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]
Image = NDArray[np.uint8]

# From Paul Tol's discrete rainbow (Colour Schemes, 2021), which can be told apart with any kind of colour vision.
# Classes that are often adjacent in a room (wall, floor, ceiling, furniture) get colours that are far apart.
_CLASSES = (
    "#1965B0", "#882E72", "#CAE0AB", "#DC050C", "#F6C141", "#4EB265", "#F1932D", "#7BAFDE", "#AE76A3", "#E8601C",
    "#42150A", "#D1BBD7", "#F7F056",
)  # fmt: skip
# Perceptually uniform, so that equal differences in metres look equal.
DEPTH_SCALE, GAP_SCALE = "Viridis", "Cividis"
WRONG, RIGHT = "#D55E00", "#C9D6DF"
# Larger maps are thinned: a screen shows no more pixels, and more take long to send.
_MOST_SIDE = 128
# The stripes: pixels along a side, the width of a pair of stripes, and the greys of the two.
_FINE, _STRIPES, _LIGHT, _DARK = 192, 12, 176, 132
# Margin for the marks of points at the edge, as a share of the picture's side.
_PAD = 0.06


def class_color(index: int) -> str:
    """Return the hex colour of class `index` ≥ 0; the first 13 differ."""
    return _CLASSES[index % len(_CLASSES)]


def occurring(*maps: Integers) -> list[int]:
    """Return the classes that occur in any of the maps, ascending, without −1. maps: integers of any shape."""
    present = np.unique(np.concatenate([labels.ravel() for labels in maps])) if maps else np.array([], int)
    return [int(index) for index in present if index >= 0]


def limits(values: Floats) -> tuple[float, float]:
    """Return the smallest and largest finite value, or (0, 1) if there is none. The second is always larger."""
    known = values[np.isfinite(values)]
    if not known.size:
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    return low, max(high, low + 1e-6)


def picture(image: Image) -> go.Figure:
    """Return a figure of a picture. image: [H, W, C], RGB, or grey with one channel."""
    figure = _figure(image.shape[0], image.shape[1])
    figure.add_trace(_paint(image, smooth=image.shape[0] > 64))
    return figure


def depth(metres: Floats, span: tuple[float, float]) -> go.Figure:
    """Return a map of depths; hovering shows metres.

    metres: [h, w], NaN where there is none.  span: the ends of the colour scale, in metres; values beyond an end get
        the colour of that end.
    """
    return _heat(metres, span, DEPTH_SCALE, "%{z:.2f} m")


def field(values: Floats, span: tuple[float, float]) -> go.Figure:
    """Return a map of numbers; hovering shows them. values: [h, w].  span: the ends of the colour scale."""
    return _heat(values, span, DEPTH_SCALE, "%{z:.3g}")


def gap(values: Floats, top: float, unit: str) -> go.Figure:
    """Return a map of errors; hovering shows the error.

    values: [h, w], NaN where there is no ground truth.  top: the end of the colour scale, > 0.  unit: of the values.
    """
    return _heat(values, (0.0, top), GAP_SCALE, f"off by %{{z:.3g}} {unit}")


def normals(vectors: Floats) -> go.Figure:
    """Return a map of normals as `normal_colors`; hovering shows x (right), y (down), z (away from the camera).

    vectors: [h, w, 3] of length 1, NaN where there are none.
    """
    shown = _thinned(vectors)
    unknown = np.isnan(shown[..., 0])
    alpha = np.where(unknown, 0, 255).astype(np.uint8)[..., None]
    figure = _ground(unknown)
    trace = _paint(np.concatenate([normal_colors(shown), alpha], -1), smooth=False)
    trace.update(customdata=shown.round(2), hoverinfo=None)
    trace.update(hovertemplate="x %{customdata[0]}, y %{customdata[1]}, z %{customdata[2]}<extra></extra>")
    figure.add_trace(trace)
    return figure


def normal_colors(vectors: Floats) -> Image:
    """Return normals as colours: (x, −y, −z) in −1 … 1 becomes red, green, blue in 0 … 255.

    So red grows to the right, green upwards, blue towards the camera.

    vectors: [h, w, 3], x right, y down, z away from the camera; NaN becomes black.
    """
    towards = np.nan_to_num(vectors * np.array([1, -1, -1]), nan=-1.0)
    return ((towards + 1) * 127.5).round().clip(0, 255).astype(np.uint8)


def normal_ball(side: int = 44) -> str:
    """Return the legend of `normal_colors`, a ball seen from the camera, as the data URI of a PNG.

    side: of the picture, in pixels.
    """
    along = (np.arange(side) + 0.5) / side * 2 - 1
    x, y = np.meshgrid(along, along)
    inside = x**2 + y**2 <= 1
    colours = normal_colors(np.stack([x, y, -np.sqrt(np.clip(1 - x**2 - y**2, 0, 1))], -1))
    return _png(np.concatenate([colours, np.where(inside, 255, 0).astype(np.uint8)[..., None]], -1))


def classes(labels: Integers, names: Sequence[str]) -> go.Figure:
    """Return a map of classes, each in its colour; hovering shows the name.

    labels: [h, w], −1 where there is no label.  names: one for each class.
    """
    shown = _thinned(labels)
    texts = np.array([*names, "no label"], dtype=object)[shown]
    count = max(len(names), 1)
    scale = [[(i + side) / count, class_color(i)] for i in range(count) for side in (0, 1)]
    figure = _ground(shown < 0)
    figure.add_heatmap(
        z=np.where(shown < 0, np.nan, shown).astype(np.float32),
        text=texts,
        hovertemplate="%{text}<extra></extra>",
        zmin=-0.5,
        zmax=count - 0.5,
        colorscale=scale,
        showscale=False,
    )
    return figure


def mistakes(truth: Integers, answer: Integers, names: Sequence[str]) -> go.Figure:
    """Return a map of wrong classes; hovering shows the predicted class and the right one.

    truth, answer: [h, w], −1 where there is no label.  names: one for each class.
    """
    y, o = _thinned(truth), _thinned(answer)
    known = np.array([*names, "no label"], dtype=object)
    wrong = np.where(y < 0, np.nan, y != o).astype(np.float32)
    figure = _ground(y < 0)
    figure.add_heatmap(
        z=wrong,
        text=known[o] + np.where(y == o, "", ", should be " + known[y]),
        hovertemplate="%{text}<extra></extra>",
        zmin=0,
        zmax=1,
        colorscale=[[0, RIGHT], [0.5, RIGHT], [0.5, WRONG], [1, WRONG]],
        showscale=False,
    )
    return figure


def points(image: Image, truth: Floats, answer: Floats | None = None, names: Sequence[str] = ()) -> go.Figure:
    """Return points over a darkened picture: rings for the ground truth, crosses for the prediction.

    image: [H, W, C].  truth, answer: [points, 2], x and y in [0, 1]; points that are NaN in `truth` are not drawn.
    names: of the points, shown when hovering; without a name, a point's number is shown.
    """
    height, width = image.shape[:2]
    figure = picture((image * 0.6).astype(np.uint8))
    there: list[int] = np.flatnonzero(np.isfinite(truth).all(1)).tolist()
    colours = [task_style(i).dark for i in range(len(there))]
    titles = [names[i] if i < len(names) else f"point {i + 1}" for i in there]

    def mark(places: Floats, what: str, symbol: str, size: int) -> None:
        figure.add_scatter(
            x=places[there, 0] * width - 0.5,
            y=places[there, 1] * height - 0.5,
            mode="markers",
            marker={"symbol": symbol, "size": size, "color": colours, "line": {"width": 2, "color": colours}},
            text=[f"{title}, {what}" for title in titles],
            hovertemplate="%{text}<extra></extra>",
        )

    if answer is not None:
        lines_x = [x for i in there for x in (truth[i, 0] * width - 0.5, answer[i, 0] * width - 0.5, None)]
        lines_y = [y for i in there for y in (truth[i, 1] * height - 0.5, answer[i, 1] * height - 0.5, None)]
        line = {"color": "#FFFFFF", "width": 1, "dash": "dot"}
        figure.add_scatter(x=lines_x, y=lines_y, mode="lines", line=line, hoverinfo="skip", opacity=0.7)
    mark(truth, "truth", "circle-open", 11)
    if answer is not None:
        mark(answer, "answer", "x-thin", 8)
    figure.update_xaxes(range=[-0.5 - _PAD * width, width * (1 + _PAD) - 0.5])
    figure.update_yaxes(range=[height * (1 + _PAD) - 0.5, -0.5 - _PAD * height])
    return figure


def _heat(values: Floats, span: tuple[float, float], scale: str, hover: str) -> go.Figure:
    shown = _thinned(values).astype(np.float32)
    figure = _ground(np.isnan(shown))
    low, high = span
    template = f"{hover}<extra></extra>"
    figure.add_heatmap(z=shown, zmin=low, zmax=high, colorscale=scale, showscale=False, hovertemplate=template)
    return figure


def _figure(height: int, width: int) -> go.Figure:
    """Return an empty figure whose axes are the pixels of a map, the first row on top."""
    figure = go.Figure()
    figure.update_layout(
        margin={"l": 0, "r": 0, "t": 0, "b": 0, "pad": 0},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        showlegend=False,
        # A finger that scrolls the page must not zoom the map.
        dragmode=False,
        hovermode="closest",
    )
    figure.update_xaxes(visible=False, fixedrange=True, range=[-0.5, width - 0.5], constrain="domain")
    figure.update_yaxes(visible=False, fixedrange=True, range=[height - 0.5, -0.5], constrain="domain", scaleanchor="x")
    return figure


def _paint(image: Image, *, smooth: bool) -> go.Image:
    """Return an image as a trace, sent as PNG."""
    colours = np.repeat(image, 3, -1) if image.shape[-1] == 1 else image
    return go.Image(source=_png(colours), hoverinfo="skip", zsmooth="fast" if smooth else False)


def _png(image: Image) -> str:
    return image_array_to_data_uri(np.ascontiguousarray(image), backend="pypng", compression=6, ext="png")


def _ground(unknown: NDArray[np.bool_]) -> go.Figure:
    """Return the background of a map: grey stripes if any pixel is unknown, else empty. unknown: [h, w]."""
    height, width = unknown.shape
    figure = _figure(height, width)
    if unknown.any():
        fine = -(-_FINE // max(height, width))
        rows, columns = np.indices((height * fine, width * fine))
        grey = np.where((rows + columns) % _STRIPES < _STRIPES // 2, _LIGHT, _DARK).astype(np.uint8)
        stripes = _paint(grey[..., None], smooth=False)
        figure.add_trace(stripes.update(dx=1 / fine, dy=1 / fine, x0=0.5 / fine - 0.5, y0=0.5 / fine - 0.5))
    return figure


def _thinned(values: NDArray[Any]) -> NDArray[Any]:
    """Return every k-th pixel of a map, with the smallest k that leaves at most `_MOST_SIDE` along a side."""
    stride = -(-max(values.shape[:2]) // _MOST_SIDE)
    return values[::stride, ::stride]
