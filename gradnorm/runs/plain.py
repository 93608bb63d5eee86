"""Values of plain JSON types: what JSON can't hold, and what a label has room for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast


def short(value: Any) -> str:
    """Return a value as a few characters, for a label."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(short(each) for each in cast("Sequence[Any]", value)) or "none"
    return str(value)


def json_safe(value: Any) -> Any:
    """Return `value` with NaN and infinity as None at any depth: JSON has neither."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): json_safe(v) for k, v in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [json_safe(v) for v in cast("Sequence[Any]", value)]
    return value
