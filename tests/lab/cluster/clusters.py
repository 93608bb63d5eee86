"""Clusters on this machine for tests: Ray's with two nodes, and submitit's that starts processes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import psutil
import pytest

from tests.factories import start_python

needs_submitit = pytest.mark.skipif(
    find_spec("submitit") is None, reason="submitit is not installed: pip install 'gradnorm-live[slurm]'"
)
needs_ray = pytest.mark.skipif(
    find_spec("ray") is None, reason="Ray is not installed: pip install 'gradnorm-live[ray]'"
)

# Two nodes, which ask for a token. A line "kill" on its input ends the second one, with all that is on it.
_RAY = """
import sys
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 4, "include_dashboard": False})
node = cluster.add_node(num_cpus=4)
print(cluster.address, flush=True)
for line in sys.stdin:
    if line == "kill\\n":
        cluster.remove_node(node, allow_graceful=False)
        print("killed", flush=True)
cluster.shutdown()
"""


def processes(*words: str, above: int | None = None) -> list[int]:
    """Return the processes whose command has all of some words; above: only those below this one."""
    found = []
    for process in psutil.Process(above).children(recursive=True) if above else psutil.process_iter():
        try:
            if all(word in " ".join(process.cmdline()) for word in words):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


@contextmanager
def ray_cluster(home) -> Iterator[object]:
    """Start a cluster, let RAY_ADDRESS and the token say which, and give its process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", "for-this-test-alone-" + 24 * "0")
        process = start_python(home, "-c", _RAY, stderr=sys.stderr)
        assert process.stdout
        try:
            patch.setenv("RAY_ADDRESS", process.stdout.readline().strip())
            yield process
        finally:
            process.communicate(timeout=60)
