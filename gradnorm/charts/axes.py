"""What the axes of all figures share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Without a format Plotly writes 9, 8, 7 below a 1, and leaves it to the reader that 0.9, 0.8, 0.7 are meant. With more
# ticks it names every digit of a decade, and the names touch.
LOG: Mapping[str, Any] = {"type": "log", "tickformat": "~g", "nticks": 4}
