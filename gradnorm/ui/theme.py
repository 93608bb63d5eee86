"""The dashboard's colours for pages that Streamlit does not draw: as the CSS variables that the live panel reads."""

from __future__ import annotations

import tomllib

from gradnorm.ui.location import site

# Streamlit's names of colours, and those of its CSS variables.
_COLORS = {
    "primaryColor": "primary-color",
    "backgroundColor": "background-color",
    "secondaryBackgroundColor": "secondary-background-color",
    "textColor": "text-color",
    "borderColor": "border-color",
}


def theme() -> str:
    """Return a style sheet with the colours of both themes, of which the browser takes the one that it prefers."""
    themes = tomllib.loads((site() / ".streamlit/config.toml").read_text(encoding="utf-8"))["theme"]
    light, dark = themes["light"], themes["dark"]
    lines = [f"  --st-{css}: light-dark({light[name]}, {dark[name]});" for name, css in _COLORS.items()]
    return "\n".join([":root {", "  color-scheme: light dark;", *lines, "}", ""])
