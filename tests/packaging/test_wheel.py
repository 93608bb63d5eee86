"""A wheel holds everything: what is in it, and that it works with nothing of the source tree."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from urllib.request import urlopen
from zipfile import ZipFile

import pytest

from gradnorm.ui.location import assets, site
from tests.factories import ROOT, wait_for

SITE = ("app.py", "pages", "assets", ".streamlit/config.toml")


def files_below(*folders):
    """Return what git knows below some folders of the source, as paths from its root."""
    listed = subprocess.run(["git", "ls-files", *folders], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return set(listed.splitlines())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel of this source tree, built by the declared backend."""
    folder = tmp_path_factory.mktemp("wheel")
    # With the backend of requirements-dev.txt pip need not fetch one.
    isolation = [] if find_spec("hatchling") is None else ["--no-build-isolation"]
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", *isolation, "--wheel-dir", str(folder)]
    subprocess.run([*command, str(ROOT)], check=True, capture_output=True, timeout=300)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def unpacked(wheel, tmp_path_factory):
    """The wheel's content in a folder of its own, as pip would leave it in site-packages."""
    folder = tmp_path_factory.mktemp("site-packages")
    with ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
def installed(unpacked, tmp_path):
    """Starts `python -m gradnorm …` with the wheel alone on the path, in an empty folder."""
    environment = {**os.environ, "PYTHONPATH": str(unpacked)}
    # Python would put the working directory first; the source's root must not be it.
    (tmp_path / "elsewhere").mkdir()

    def start(*arguments, **variables):
        return subprocess.Popen(
            [sys.executable, "-m", "gradnorm", *arguments],
            cwd=tmp_path / "elsewhere",
            env={**environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.mark.slow
def test_the_wheel_holds_package_data_and_dashboard_and_nothing_else(wheel):
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    site_files = {f"gradnorm/ui/site/{path}" for path in files_below(*SITE)}
    assert names == files_below("gradnorm") | site_files
    assert "gradnorm/py.typed" in names
    assert wheel.stat().st_size < 10e6


@pytest.mark.slow
def test_a_run_trains_with_the_wheel_alone(installed, unpacked, tmp_path):
    out, err = installed("train", "--preset", "toy-2", "--steps", "20", "--json", "-").communicate(timeout=300)
    assert err == ""
    assert (json.loads(out)["outcome"], json.loads(out)["steps"]) == ("finished", 20)
    # Benchmarks are no part of it.
    out, err = installed("bench", "overhead").communicate(timeout=60)
    assert "bench should be run in a checkout of the source" in err


@pytest.mark.slow
def test_the_dashboard_serves_from_the_wheel_and_keeps_the_user_s_folders(installed, unpacked, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = installed("dashboard", "--port", str(port), GRADNORM_HOME="mine", GRADNORM_DATA="")
    address = f"http://127.0.0.1:{port}"

    def well():
        assert server.poll() is None, server.communicate()
        try:
            return urlopen(f"{address}/_stcore/health", timeout=10).status == 200
        except OSError:
            return False

    try:
        wait_for(well, 120)
        served = urlopen(f"{address}/live/static/live/panel.js", timeout=30).read()
        assert served == (ROOT / "assets" / "live" / "panel.js").read_bytes()
        assert Path(f"/proc/{server.pid}/cwd").resolve() == unpacked / "gradnorm" / "ui" / "site"
        wait_for((tmp_path / "elsewhere" / "mine").is_dir, 60)
    finally:
        server.terminate()
        _, err = server.communicate(timeout=60)
    assert err == ""


def test_in_a_checkout_the_dashboard_s_files_are_the_source_s():
    assert (site(), assets()) == (ROOT, ROOT / "assets")
    assert all((site() / path).exists() for path in SITE)
