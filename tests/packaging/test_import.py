"""What importing the library brings along. How long it takes depends on the machine, so that is asserted by names."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.factories import ROOT


def brought_by(first, second):
    """Return the top-level packages that Python imports for a statement, after another one."""
    code = f"""
import json, sys
{first}
before = set(sys.modules)
{second}
print(json.dumps(sorted({{name.partition(".")[0] for name in set(sys.modules) - before}} - sys.stdlib_module_names)))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=True)
    return json.loads(done.stdout)


@pytest.mark.slow
def test_gradnorm_brings_nothing_that_torch_has_not_brought():
    assert brought_by("import torch", "from gradnorm import GradNorm, Balancer, Balance, NonFiniteLossError") == [
        "gradnorm"
    ]


def test_the_package_itself_brings_nothing_at_all():
    assert brought_by("", "import gradnorm") == ["gradnorm"]


@pytest.mark.slow
def test_methods_and_data_sets_are_declared_without_torch():
    assert {"torch", "pandas", "scipy", "apsw", "plotly", "streamlit", "jaxtyping"}.isdisjoint(
        brought_by("", "from gradnorm.config.options import options; options()")
    )
