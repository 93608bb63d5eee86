"""Where the dashboard's own files are: `app.py`, `pages/`, `assets/` and `.streamlit/`."""

from __future__ import annotations

from pathlib import Path

_PACKAGED = Path(__file__).with_name("site")
_CHECKOUT = Path(__file__).parents[2]


def site() -> Path:
    """Return the folder that holds `app.py`, `pages/`, `assets/` and `.streamlit/config.toml`.

    In an installed wheel it is `gradnorm/ui/site`. In a checkout, an editable install or the container image it is
    the top level of the source.
    """
    return _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT


def assets() -> Path:
    """Return the folder of styles, scripts and texts that the pages show."""
    return site() / "assets"
