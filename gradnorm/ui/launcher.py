"""Starts Streamlit on `app.py` in this very process, so that signals and process ids mean the server."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Tells the server to open this address in a browser once it is up. Streamlit's own way of doing so goes with
# advertisements for developers.
OPEN = "GRADNORM_OPEN"


def serve(address: str, port: int, *, open_browser: bool = False) -> int:
    """Serve the dashboard until the process is told to end; return 2 if `app.py` is missing."""
    app = ROOT / "app.py"
    if not app.exists():
        print(
            f"gradnorm: the dashboard should lie beside the package. Found no {app}. "
            "Run it from a checkout, or use the container image.",
            file=sys.stderr,
        )
        return 2
    options = {
        "server.address": address,
        "server.port": str(port),
    }
    if open_browser:
        os.environ[OPEN] = f"http://{address}:{port}"
    os.environ["GRADNORM_HOME"] = str(Path(os.environ.get("GRADNORM_HOME") or "runs").resolve())
    # Streamlit reads .streamlit/config.toml from where it is started.
    os.chdir(ROOT)
    flags = [part for name, value in options.items() for part in (f"--{name}", value)]
    from streamlit.web import cli

    # In this interpreter: a new one would load half of its modules again.
    cli.main(["run", str(app), *flags], prog_name="streamlit")
    return 0
