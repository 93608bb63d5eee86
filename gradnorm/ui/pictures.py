"""What the camera above a still chart saves: a picture for a slide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import streamlit as st

from gradnorm.ui.words import t

Kind = Literal["png", "svg"]

# At twice the size a picture is 1920 × 1080, and its letters can be read from the last row.
_WIDTH, _HEIGHT, _SCALE = 960, 540, 2
_KEY = "picture kind"
_NO_OTHER_TOOL: Mapping[str, Any] = {"modeBarButtons": [["toImage"]]}


def camera(
    name: str,
    kind: Kind | None = None,
    *,
    width: float = _WIDTH,
    height: float | None = _HEIGHT,
    tools: Mapping[str, Any] = _NO_OTHER_TOOL,
) -> dict[str, Any]:
    """Return the configuration of a Plotly chart with a camera above it.

    name: of the file, without its ending.  kind: of the picture; None for the one that `picture_kind` offers.
    width, height: of the picture in half pixels, > 0; None for the usual height.
    tools: what Plotly's configuration says of its tool bar.
    """
    options = {
        "format": kind or st.session_state.get(_KEY) or "png",
        "filename": name,
        "width": width,
        "height": height or _HEIGHT,
        "scale": _SCALE,
    }
    return {"displaylogo": False, **tools, "toImageButtonOptions": options}


def picture_kind() -> None:
    """Let the visitor choose what the cameras of this page save."""
    st.session_state.setdefault(_KEY, "png")
    text = t("What the camera above a chart saves, 1920 pixels wide.")
    st.segmented_control(t("Picture"), ["png", "svg"], required=True, format_func=str.upper, key=_KEY, help=text)
