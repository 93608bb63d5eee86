"""Where a run goes on from: its start, its last checkpoint, or the checkpoint that it was forked at."""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from gradnorm.config.spec import RunSpec
from gradnorm.runs.checkpoint_files import CheckpointError
from gradnorm.runs.damage import sentence
from gradnorm.runs.faults import DamageError
from gradnorm.runs.leases import lease_of
from gradnorm.runs.records import Checkpoint, Record, RunInfo
from gradnorm.runs.store import RunStore
from gradnorm.training.control import Control

if TYPE_CHECKING:
    from gradnorm.training.engine import Entry

log = logging.getLogger(__name__)


def records_of(
    store: RunStore, infos: Sequence[RunInfo], controls: Mapping[str, Control], left: set[int] | None = None
) -> Generator[tuple[int, Record | Exception]]:
    """Return the records that claimed runs still lack, each with the run's index in `infos`; see `train_group`.

    A run goes on from its newest sound checkpoint. Records after that checkpoint are taken back first, and are made
    again. The item of a run that cannot go on is an exception: SpecError, or CheckpointError for a fork without a
    sound checkpoint to start from.

    controls: one for each run, by its id.
    """
    from gradnorm.training.engine import train_group
    from gradnorm.training.following import told

    return train_group([partial(told, partial(_entry, store, info, controls[info.run])) for info in infos], left)


def _entry(store: RunStore, info: RunInfo, control: Control) -> Entry:
    from gradnorm.training.engine import Entry

    store.leases.supersede(lease_of(info))
    start, branch = rewound(store, info)
    return Entry(RunSpec.parse(info.spec), control, partial(store.start, info.run), start, branch)


def rewound(store: RunStore, info: RunInfo) -> tuple[Checkpoint | None, bool]:
    """Take a run back to its newest sound checkpoint, and return it, with whether a fork begins there.

    None for a run that begins at its start. Raises CheckpointError for a fork that has lost its checkpoint.
    """
    start, faults = store.checkpoints.latest(info.run, info.steps)
    for fault in faults:
        log.warning("%s", fault)
    step = start.step if start else 0
    if step < info.forked_at:
        raise CheckpointError(faults[-1] if faults else f"The fork of run {info.run} has lost its checkpoint.")
    branch = info.parent is not None and start is not None and step == info.forked_at
    # A fork and a fresh start take their settings from the spec; a checkpoint has those of the step after it.
    from_spec = branch or start is None
    store.rewind(info.run, step, step - 1 if from_spec else step, step if from_spec else step + 1)
    return start, branch


def mean_weights(store: RunStore, run: str) -> list[float]:
    """Return a run's time average E_t[w_i(t)], shape [T]. Raises ValueError for a run without steps.

    Raises DamageError if the weights of any step are lost.
    """
    snapshot = store.read(run)
    if any(each.kind == "records" for each in snapshot.damage):
        raise DamageError(sentence(run, snapshot.damage))
    weights = snapshot.vector("weights")
    if not len(weights):
        raise ValueError("The run should have steps to average its weights over. Found none. Let it run first.")
    return weights.mean(axis=0, dtype=np.float64).tolist()
