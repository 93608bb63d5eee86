"""What a measurement was made on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from typing import Any


def environment() -> dict[str, Any]:
    """Return processor, cores, Python and the versions of what was measured."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.platform(),
        **{name: version(name) for name in ("torch", "streamlit", "numpy", "apsw")},
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as lines:  # noqa: PTH123
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"
