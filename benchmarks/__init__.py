"""Named benchmarks: each a module with `run() -> dict`, printed by `python -m gradnorm bench NAME --json -`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

# Modules of this package, imported when they are run.
NAMED: Mapping[str, str] = MappingProxyType(
    {
        "overhead": "GradNorm's step over a plain step with equal weights",
        "batched": "contenders as one program against one after another",
        "functional": "the hand-written step of small networks against the same step by torch.func",
        "throughput": "steps a second against the rate of the step's matrix products alone",
        "peers": "a step against other implementations of GradNorm",
        "startup": "from the command, and from a click on Start, to the first painted point",
        "rooms": "rooms rendered a second, at 128 pixels and at NYUv2's size",
        "streaming": "from a training step to a pixel",
        "cluster": "records a second that one server takes in from a cluster",
    }
)


def measure(name: str, **options: Any) -> dict[str, Any]:
    """Run a benchmark; return {"benchmark", "environment", "results"} and what else it has to say.

    options: of that benchmark alone.
    """
    return import_module(f"benchmarks.{name}").run(**options)
