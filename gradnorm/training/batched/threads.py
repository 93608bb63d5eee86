"""One group split over the cores: as many smaller groups, stepped at the same time by threads.

Threads of our own wait for one another once a step; torch's wait after every operation, which costs more than these
small networks' operations take.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from gradnorm.runs.records import Checkpoint
from gradnorm.training.batched.group import Group, Result
from gradnorm.training.run import Run, use_threads


class ThreadedGroup:
    """N runs that go in step, as `Group` has them, on several cores of a CPU or on one GPU.

    runs: of one shape, at the same step (`gradnorm.training.batched.group.partition`).
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self._threads, places = _divide(runs)
        self._groups = [Group([runs[place] for place in team]) for team in places]
        self._where = {place: (group, i) for group, team in enumerate(places) for i, place in enumerate(team)}
        # This thread takes the first group itself.
        self._pool = ThreadPoolExecutor(len(places) - 1, "gradnorm-team") if len(places) > 1 else None

    def step(self) -> list[Result]:
        """Take the next step; an error takes the place of the record of each run that it concerns."""
        first, *others = self._groups
        waiting = [self._pool.submit(self._step, group) for group in others] if self._pool else []
        found = [self._step(first), *(future.result() for future in waiting)]
        return [found[group][i] for group, i in (self._where[place] for place in range(len(self._where)))]

    def _step(self, group: Group) -> Sequence[Result]:
        # Another worker's runs may have asked for another number, which counts for the whole process.
        use_threads(self._threads)
        try:
            return group.step()
        except Exception as error:
            return [error] * len(group.runs)

    def retune(self, place: int, changes: Mapping[str, Any]) -> None:
        """Change hyperparameters of one run from the next step on. Raises ValueError."""
        group, i = self._where[place]
        self._groups[group].retune(i, changes)

    def settle(self) -> None:
        """Bring what the runs hold up to date."""
        for group in self._groups:
            group.settle()

    def checkpoint(self, place: int) -> Checkpoint:
        """Return the whole state of one run."""
        group, i = self._where[place]
        return self._groups[group].checkpoint(i)

    def close(self) -> None:
        """End all threads."""
        for group in self._groups:
            group.close()
        if self._pool:
            self._pool.shutdown(wait=False)


def _divide(runs: Sequence[Run]) -> tuple[int, list[list[int]]]:
    """Return the threads of each team (0: as torch has it) and its runs' places; equal data are in one team.

    There are as many teams as the runs may use threads. A run by itself uses its threads for one operation.
    """
    threads = [run.spec.threads for run in runs]
    if len(runs) == 1:
        return (threads[0] if runs[0].device.type == "cpu" else 0), [[0]]
    if runs[0].device.type != "cpu" or not all(threads):
        return 0, [list(range(len(runs)))]
    teams = min(len(runs), sum(threads), os.cpu_count() or 1)
    seen = [id(run.source) for run in runs]
    order = sorted(range(len(runs)), key=lambda place: seen.index(seen[place]))
    size, larger = divmod(len(runs), teams)
    ends = [(team + 1) * size + min(team + 1, larger) for team in range(teams)]
    return 1, [order[start:end] for start, end in zip([0, *ends], ends, strict=False)]
