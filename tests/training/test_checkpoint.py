"""A checkpoint that is none of ours is refused in our words, and nothing in it is run."""

from __future__ import annotations

import io
import os
import pickle

import pytest
import torch

from gradnorm.config.spec import RunSpec
from gradnorm.lab.run_writer import record
from gradnorm.runs.checkpoint_files import CheckpointError
from gradnorm.runs.records import Checkpoint, Outcome
from gradnorm.training.checkpoint import unpack
from gradnorm.training.control import Control
from tests.factories import TINY, going_on


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def saved(value):
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


FOREIGN = {
    "a pickle": pickle.dumps,
    "torch's file with a pickle": lambda trap: saved({"step": 3, "model": trap}),
    "torch's file of another program": lambda trap: saved({"weights": torch.zeros(2)}),
    "torch's file with a field too many": lambda trap: saved({"step": 3, "more": 1, "initial": {}}),
    "torch's file of a tensor": lambda trap: saved(torch.zeros(2)),
    "text": lambda trap: b"hello",
    "nothing": lambda trap: b"",
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_foreign_checkpoint_is_refused_in_our_words(kind, tmp_path):
    trap = tmp_path / "sprung"
    with pytest.raises(CheckpointError, match="should hold the state of a run") as caught:
        unpack(Checkpoint(3, FOREIGN[kind](Trap(trap))), torch.device("cpu"))
    assert not trap.exists()
    assert "weights_only" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_run_with_a_foreign_checkpoint_ends_with_a_sentence(store, tmp_path):
    """The file's own SHA-256 is right: whoever can write it can write that, too."""
    spec = RunSpec.parse(TINY)
    parent = store.create("parent", spec.flat(), ("task 1", "task 2"), queued=False)
    store.checkpoints.write(parent, Checkpoint(3, saved({"step": 3, "model": Trap(tmp_path / "sprung")})))
    run = store.create("fork", spec.flat(), ("task 1", "task 2"), queued=False, parent=parent, forked_at=3)
    control = Control()
    (*_, outcome) = record(store, run, going_on(store, run, control), control)
    assert isinstance(outcome, Outcome)
    assert outcome.kind == "failed"
    assert outcome.message.startswith("The checkpoint of step 3 should hold the state of a run")
    assert not (tmp_path / "sprung").exists()
