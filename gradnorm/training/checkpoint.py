"""The whole state of a run as bytes, and back.

Batches, initial values and every draw of a method are functions of (seed, name, t) (`gradnorm.common.randomness`), so
the step is the state of all random streams; nothing is drawn from torch's own generators.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import torch

from gradnorm.runs.checkpoint_files import CheckpointError
from gradnorm.runs.records import Checkpoint, Evaluation


@dataclass(frozen=True)
class Saved:
    """What a checkpoint holds.

    model, optimizer, balancer: state dicts.  optimizer_kind: the spec's "sgd" or "adam".
    initial: the evaluation of the untrained network, L_i(0) of the test losses.
    best: the best network so far by its validation loss, as the fields of `Best`; None where none is chosen.
    """

    step: int
    model: dict[str, Any]
    optimizer_kind: str
    optimizer: dict[str, Any]
    balancer: dict[str, Any]
    initial: Evaluation
    best: dict[str, Any] | None = None


def pack(saved: Saved) -> Checkpoint:
    """Return the state as a checkpoint."""
    buffer = io.BytesIO()
    torch.save({**vars(saved), "initial": saved.initial.to_dict()}, buffer)
    return Checkpoint(saved.step, buffer.getvalue())


def unpack(checkpoint: Checkpoint, device: torch.device) -> Saved:
    """Return the state that `pack` was given, its tensors on `device`.

    Raises CheckpointError for anything else; nothing in it is run.
    """
    try:
        found: dict[str, Any] = torch.load(io.BytesIO(checkpoint.payload), map_location=device, weights_only=True)
        initial = Evaluation.from_dict(found.pop("initial"))
        return Saved(**found, initial=initial)
    except (torch.OutOfMemoryError, MemoryError):
        raise
    except Exception:
        # Torch's own message tells how to load, and so run, what is in there.
        raise CheckpointError(
            f"The checkpoint of step {checkpoint.step:,} should hold the state of a run, in tensors and plain values. "
            "Found something else, and did not load it. Use another checkpoint, or start the run again."
        ) from None
