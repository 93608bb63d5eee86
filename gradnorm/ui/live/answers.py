"""What a run's network answers, as its checkpoints have it: computed when a page asks, and kept."""

from __future__ import annotations

import json
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

from gradnorm.config.spec import RunSpec, datasets
from gradnorm.runs.store import RunStore

if TYPE_CHECKING:
    from gradnorm.datasets.base import Source

# Loaded data and answers that are kept.
_SOURCES, _ANSWERS = 2, 256


class NoAnswerError(ValueError):
    """There is nothing to see of a run; the message says why."""


class Answers:
    """Answers of the runs of a store. One is computed at a time, so that training keeps its processors."""

    def __init__(self, store: RunStore) -> None:
        self._store, self._lock = store, Lock()
        self._source = lru_cache(_SOURCES)(_load)
        # A resumed run may write a checkpoint of the same step again; it is the same bit for bit.
        self._answer = lru_cache(_ANSWERS)(self._look)

    def of(self, run: str, step: int) -> str:
        """Return as JSON what the network of a run answers after a step that it has a checkpoint of.

        Raises NoAnswerError where there is nothing to see, CheckpointError, UnknownRunError.
        """
        with self._lock:
            return self._answer(run, step)

    def _look(self, run: str, step: int) -> str:
        from gradnorm.training.look import look, network_of

        spec = RunSpec.parse(self._store.info(run).spec)
        if not spec.dataset.plain_answers:
            raise NoAnswerError(f"Answers of {spec.dataset.name} are no curves, numbers or words. See the Gallery.")
        checkpoint = self._store.checkpoints.read(run, step)
        source = self._source(spec.dataset.name, spec.dataset.model_dump_json(), spec.seed)
        try:
            network = network_of(spec, source, checkpoint)
        except RuntimeError:
            raise NoAnswerError(
                f"The checkpoint at step {step} should fit the run's network. Found that of another version. "
                "Train the run again."
            ) from None
        return json.dumps({"step": step, **look(source, network)})


def _load(dataset: str, options: str, seed: int) -> Source:
    return datasets()[dataset].model_validate_json(options).load(seed)
