"""Puts the dashboard's own files into a wheel; `gradnorm/ui/location.py` finds them there.

They stay at the top level of the source, where an editable install uses them: it gets no copies.
"""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SITE = ("app.py", "pages", "assets", ".streamlit/config.toml")


class WheelHook(BuildHookInterface):  # type: ignore[type-arg]
    """Called by hatchling before it writes a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files to a "standard" wheel, and nothing to an "editable" one."""
        if version == "standard":
            build_data["force_include"].update({path: f"gradnorm/ui/site/{path}" for path in SITE})
