"""Workers on the nodes of a Ray cluster."""

from __future__ import annotations

import logging
import os
import signal
import threading
import warnings
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from gradnorm.common.extras import require
from gradnorm.lab.engine import EngineError

log = logging.getLogger(__name__)


class RayLauncher:
    """Starts each worker as a detached actor: it outlives the process that has sent it out.

    cpus, gpus: what each takes of its node, ≥ 0; fractions share a GPU.
    The cluster is that of RAY_ADDRESS, else the one on this machine.
    Raises MissingPackageError without Ray, EngineError if no cluster answers.
    """

    name = "ray"
    logs = "See what killed them in Ray's logs, in /tmp/ray/session_latest/logs on each node."

    def __init__(self, cpus: float = 1, gpus: float = 0) -> None:
        require("--engine ray", "ray")
        self._ray: Any = import_module("ray")
        self._needs = {"num_cpus": cpus, "num_gpus": gpus}
        address = os.environ.get("RAY_ADDRESS") or "auto"
        former = signal.getsignal(signal.SIGTERM)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # on what later versions of Ray will do
                self._ray.init(
                    address, namespace="gradnorm", ignore_reinit_error=True, log_to_driver=False, logging_level="error"
                )
        except Exception as error:
            raise EngineError(
                f"A Ray cluster should answer at {address}. Found none ({error}). Start one with "
                "`ray start --head`, or set RAY_ADDRESS; see docs/cluster.md."
            ) from None
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, former)  # Ray has put a handler of its own in its place

    def submit(self, folder: Path, name: str) -> str:
        """Start a worker, or let it wait until a node has room. Raises EngineError."""
        try:
            actor = self._ray.remote(max_restarts=0, **self._needs)(_Worker)
            actor.options(name=name, lifetime="detached").remote(str(folder))
        except Exception as error:
            raise EngineError(f"Ray should take worker {name}. It refuses it: {error}") from None
        return name

    def going(self, handle: str) -> bool:
        """Whether a worker waits for its turn, or works."""
        try:
            self._ray.get_actor(handle)
        except ValueError:
            return False
        return True

    def cancel(self, handle: str) -> None:
        """End a worker at once."""
        with suppress(ValueError):
            self._ray.kill(self._ray.get_actor(handle))


class _Worker:
    """Trains on a thread as soon as it is made: a call would have to wait for a server that may be gone by then."""

    def __init__(self, folder: str) -> None:
        threading.Thread(target=_carry_out, args=(folder,), daemon=True).start()


def _carry_out(folder: str) -> None:
    """Train, and end this process: nobody else would."""
    from gradnorm.lab.cluster.worker import carry_out

    try:
        carry_out(folder)
    except BaseException:
        log.exception("The worker failed.")
    finally:
        ray: Any = import_module("ray")
        ray.kill(ray.get_runtime_context().current_actor)
