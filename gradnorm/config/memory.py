"""What training takes of the machine's memory, estimated before it is taken."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from gradnorm.config.spec import RunSpec, SpecError

# Bytes of a number in single precision.
_FLOAT = 4
# Parameters are held with their gradients, in a checkpoint, and in that checkpoint's bytes.
_COPIES = 4
_MOMENTS = {"sgd": 1, "adam": 2}
# Batches that lie ready beside the one in use.
_BATCHES = 3
# This part of what is free may be planned with; the rest is for what the estimate leaves out.
_SHARE = 0.9


def needed(spec: RunSpec, example: int = 0) -> int:
    """Return about how many bytes a run takes; less than it does, since first layer and heads are left out.

    Networks for pictures are counted by their batches alone.

    example: bytes of one example with its targets, where the data are known.
    """
    batches = _BATCHES * spec.batch_size * example
    if spec.network not in ("auto", "mlp") or spec.dataset.networks[0] != "mlp":
        return batches
    parameters = spec.depth * spec.width**2
    # Each layer's output and its gradient, and each task's gradient at the last one.
    activations = spec.batch_size * spec.width * (2 * spec.depth + len(spec.dataset.task_names))
    return batches + _FLOAT * (parameters * (_COPIES + _MOMENTS[spec.optimizer]) + activations)


def free() -> int:
    """Return how many bytes this process may still take.

    Of the machine, of its container if that has a limit, and of the gigabytes of GRADNORM_MEMORY if that is set.
    Raises SpecError for a GRADNORM_MEMORY that is no number.
    """
    there = [os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    if meminfo := _read("/proc/meminfo"):
        there = [int(line.split()[1]) * 1024 for line in meminfo.splitlines() if line.startswith("MemAvailable:")]
    if (limit := _read("/sys/fs/cgroup/memory.max")) not in ("", "max"):
        there.append(int(limit) - int(_read("/sys/fs/cgroup/memory.current") or 0))
    if allowed := os.environ.get("GRADNORM_MEMORY"):
        # The second number of statm: pages that this process holds.
        held = int((_read("/proc/self/statm") or "0 0").split()[1]) * os.sysconf("SC_PAGE_SIZE")
        there.append(int(_positive(allowed) * 1e9) - held)
    return max(0, min(there))


def _read(path: str) -> str:
    """Return what a file of the system says; empty where there is none."""
    try:
        return Path(path).read_text("ascii").strip()
    except OSError:
        return ""


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise SpecError(f"GRADNORM_MEMORY should be gigabytes, above 0. Found {text!r}. Leave it out for no limit.")
    return number


def check(specs: Sequence[RunSpec], example: int = 0) -> None:
    """Raise SpecError if runs that train together would not fit into memory; the message has the numbers.

    example: as in `needed`.
    """
    wanted, there = sum(needed(spec, example) for spec in specs), free()
    if wanted > _SHARE * there:
        several = "" if len(specs) == 1 else f" for {len(specs)} runs"
        raise SpecError(
            f"Networks and batches should fit into memory. Found at least {_gigabytes(wanted)} needed{several}, and "
            f"{_gigabytes(there)} free. Choose a smaller width, depth or batch size."
        )


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
