"""Workers as jobs of Slurm, through submitit."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import psutil

from gradnorm.common.extras import require
from gradnorm.lab.cluster.worker import carry_out
from gradnorm.lab.engine import EngineError

# A job that runs out of time ends with a checkpoint, and its lease goes on in the next one.
MINUTES = 60


class SlurmLauncher:
    """Starts each worker as a job.

    folder: where scripts and logs of the jobs go; it is shared, too.
    cpus, gpus: whole numbers ≥ 0, of what each job asks for.
    options: what else it asks for, by submitit's names, such as slurm_partition or timeout_min. {"cluster": "local"}
        starts processes on this machine, to try things without Slurm.
    Raises MissingPackageError without submitit, EngineError without Slurm or for options that submitit refuses.
    """

    name = "slurm"

    def __init__(self, folder: Path, cpus: int = 1, gpus: int = 0, options: Mapping[str, Any] | None = None) -> None:
        require("--engine slurm", "submitit")
        submitit: Any = import_module("submitit")
        asked = {"timeout_min": MINUTES, **(options or {})}
        cluster = asked.pop("cluster", "slurm")
        if cluster == "slurm" and shutil.which("sbatch") is None:
            raise EngineError(
                "--engine slurm should be used where jobs are submitted. Found no sbatch. Use a login node of the "
                "cluster, or try it on this machine: --slurm cluster=local"
            )
        self.logs = f"See what ended them in the logs of their jobs: {folder}."
        self._jobs: dict[str, Any] = {}
        self._local, self._folder = cluster == "local", folder
        self._job_class = submitit.LocalJob if self._local else submitit.SlurmJob
        try:
            self._executor: Any = submitit.AutoExecutor(folder, cluster=cluster)
            self._executor.update_parameters(name="gradnorm", cpus_per_task=cpus, gpus_per_node=gpus, **asked)
        except Exception as error:
            raise EngineError(f"submitit should take what --slurm says. It refuses it: {error}") from None

    def submit(self, folder: Path, name: str) -> str:
        """Submit a job. Raises EngineError if Slurm refuses it."""
        try:
            job = self._executor.submit(carry_out, str(folder))
        except Exception as error:
            raise EngineError(f"Slurm should take job {name}. It refuses it: {error}") from None
        self._jobs[job.job_id] = job
        return job.job_id

    def going(self, handle: str) -> bool:
        """Whether a job waits for its turn, or runs."""
        job = self._job(handle)
        if not self._local:
            return not job.done()
        job.done()  # which collects a process of ours that has ended
        return _is_worker(int(handle))

    def cancel(self, handle: str) -> None:
        """End a job at once."""
        if not self._local:
            self._job(handle).cancel(check=False)
        elif _is_worker(int(handle)):
            with suppress(ProcessLookupError):
                os.kill(int(handle), signal.SIGINT)

    def _job(self, handle: str) -> Any:
        if handle not in self._jobs:  # of an earlier process
            self._jobs[handle] = self._job_class(self._folder, handle)
        return self._jobs[handle]


def _is_worker(pid: int) -> bool:
    """Whether a process of this machine is one of submitit's."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and any("submitit" in word for word in process.cmdline())
    except psutil.NoSuchProcess:
        return False
