"""Starts Streamlit on `app.py` in this very process, so that signals and process ids mean the server."""

from __future__ import annotations

import os
from pathlib import Path

from gradnorm.common.extras import require
from gradnorm.ui.file_handles import raise_limit
from gradnorm.ui.location import site

# Tells the server to open this address in a browser once it is up. Streamlit's own way of doing so goes with
# advertisements for developers.
OPEN = "GRADNORM_OPEN"
# Folders that the user names by the environment, with what they are where it is silent.
_FOLDERS = {"GRADNORM_HOME": "runs", "GRADNORM_DATA": "data"}
# What the pages and the server import.
_PACKAGES = ("streamlit", "starlette", "uvicorn", "websockets", "plotly", "pandas", "pyarrow", "apsw", "psutil")


def serve(address: str, port: int, *, open_browser: bool = False) -> int:
    """Serve the dashboard until the process is told to end, and return 0.

    address, port: where the server listens, as in "127.0.0.1" and 8501.
    open_browser: open the address in a browser once the server is up.
    Raises MissingPackageError if a package that the dashboard needs is not installed.
    """
    require("gradnorm dashboard", *_PACKAGES)
    if open_browser:
        os.environ[OPEN] = f"http://{address}:{port}"
    raise_limit()
    # Relative paths mean the folder where the command was typed.
    for variable, default in _FOLDERS.items():
        os.environ[variable] = str(Path(os.environ.get(variable) or default).resolve())
    # Streamlit reads .streamlit/config.toml from where it is started.
    os.chdir(site())
    from streamlit.web import cli

    # In this interpreter: a new one would load half of its modules again.
    flags = ["--server.address", address, "--server.port", str(port)]
    cli.main(["run", str(site() / "app.py"), *flags], prog_name="streamlit")
    return 0
