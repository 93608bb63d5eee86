"""What the project asks of a cluster: three calls."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Launcher(Protocol):
    """Starts workers on the machines of a cluster.

    name: of the engine.  logs: a sentence on where to look when workers are lost.
    """

    name: str
    logs: str

    def submit(self, folder: Path, name: str) -> str:
        """Let `worker.carry_out(folder)` be called once, somewhere, and return a handle that outlives this process.

        name: one that no other worker has. Raises EngineError if the cluster refuses it.
        """
        ...

    def going(self, handle: str) -> bool:
        """Whether a worker waits for its turn, or works. It may raise while the cluster does not answer."""
        ...

    def cancel(self, handle: str) -> None:
        """End a worker at once, if it is still there."""
        ...
