"""One group split over the cores: as many smaller groups, stepped at the same time by threads.

Threads of our own wait for one another once a step; torch's wait after every operation, which costs more than these
small networks' operations take.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

from gradnorm.records import Checkpoint
from gradnorm.training.group import Group, Result
from gradnorm.training.run import Run


class Teams:
    """N runs that go in step, as `Group` has them, on several cores of a CPU or on one GPU.

    runs: of one shape, at the same step (`gradnorm.training.group.partition`).
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = runs
        places = _divide(runs)
        self._groups = [Group([runs[place] for place in team]) for team in places]
        self._where = {place: (group, i) for group, team in enumerate(places) for i, place in enumerate(team)}
        # This thread takes the first group itself.
        self._pool = ThreadPoolExecutor(len(places) - 1, "gradnorm-team") if len(places) > 1 else None

    def step(self) -> list[Result]:
        """Take the next step; an error takes the place of its run's record."""
        first, *others = self._groups
        waiting = [self._pool.submit(group.step) for group in others] if self._pool else []
        found = [first.step(), *(future.result() for future in waiting)]
        return [found[group][i] for group, i in (self._where[place] for place in range(len(self.runs)))]

    def retune(self, changes: Mapping[int, Mapping[str, Any]]) -> None:
        """Change hyperparameters from the next step on, of runs by their place. Raises ValueError."""
        for number, group in enumerate(self._groups):
            own = {self._where[p][1]: values for p, values in changes.items() if self._where[p][0] == number}
            if own:
                group.retune(own)

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


def _divide(runs: Sequence[Run]) -> list[list[int]]:
    """Return the places of the runs of each team: as many teams as the runs may use threads, equal data together."""
    threads = [run.spec.threads for run in runs]
    teams = 1
    if runs[0].device.type == "cpu" and all(threads):
        # A run by itself may use several threads for one operation; runs together have one team a thread.
        torch.set_num_threads(threads[0] if len(runs) == 1 else 1)
        teams = min(len(runs), sum(threads), os.cpu_count() or 1)
    if len(runs) == 1:
        return [[0]]
    order = sorted(range(len(runs)), key=lambda place: id(runs[place].source))
    size, larger = divmod(len(runs), teams)
    ends = [(team + 1) * size + min(team + 1, larger) for team in range(teams)]
    return [order[start:end] for start, end in zip([0, *ends], ends, strict=False)]
