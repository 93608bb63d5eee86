"""What the first page does not wait for."""

import subprocess
import sys

import pytest

from tests.factories import ROOT

# Whole pages and runs: part of `make test`, too long for `make check`.
pytestmark = pytest.mark.slow


@pytest.mark.slow
def test_the_first_page_loads_neither_torch_nor_pandas(tmp_path):
    code = f"""
import sys
from gradnorm.lab.lab import Lab
Lab.warm = lambda self: None
from streamlit.testing.v1 import AppTest
at = AppTest.from_file({str(ROOT / "gradnorm" / "ui" / "main.py")!r}, default_timeout=60).run()
assert not at.exception and at.get("bidi_component")
print(*[name for name in ("torch", "pandas") if name in sys.modules])
"""
    environment = {"GRADNORM_HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
