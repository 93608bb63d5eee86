"""The options that say what trains a study's runs, and the engine that they ask for."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradnorm.config.spec import SpecError

if TYPE_CHECKING:
    from gradnorm.lab.engine import Engine

ENGINES = ("local", "ray", "slurm")
# How many leases are out at once, unless it is said.
LEASES = 8
_RANGES = {"leases": (1, 1024), "lease_runs": (1, 32), "cpus_per_lease": (0, 1024), "gpus_per_lease": (0, 64)}


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Add the options of engines to a command."""
    group = parser.add_argument_group("several machines", "see docs/cluster.md")
    group.add_argument("--engine", choices=ENGINES, help="what trains the runs (default: local, or the study's own)")
    group.add_argument("--leases", type=int, default=LEASES, metavar="N", help="teams that are trained at once")
    group.add_argument("--lease-runs", type=int, metavar="N", help="runs of a team, 1 … 32 (default: up to 32)")
    group.add_argument("--cpus-per-lease", type=float, default=1.0, metavar="N")
    group.add_argument("--gpus-per-lease", type=float, default=0.0, metavar="N", help="with Ray, also a part of a GPU")
    group.add_argument("--shared", type=Path, metavar="FOLDER", help="seen by all machines (default: HOME/leases)")
    group.add_argument("--slurm", default="", metavar="KEY=VALUE,…", help="of jobs, as slurm_partition=gpu")


def engine_of(arguments: argparse.Namespace, home: Path, name: str) -> Engine | None:
    """Return the engine of a name; None for this machine. home: of the runs.

    Raises SpecError for what it cannot do, MissingPackageError, and EngineError for a cluster that does not answer.
    """
    _check(arguments)
    if name == "local":
        return None
    folder = (arguments.shared or home / "leases").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    from gradnorm.lab.cluster.cluster import Cluster

    cpus, gpus = arguments.cpus_per_lease, arguments.gpus_per_lease
    if name == "ray":
        from gradnorm.lab.cluster.on_ray import RayLauncher

        return Cluster(RayLauncher(cpus, gpus), folder)
    from gradnorm.lab.cluster.on_slurm import SlurmLauncher

    for option, value in (("--cpus-per-lease", cpus), ("--gpus-per-lease", gpus)):
        if not value.is_integer():
            raise SpecError(f"{option} should be a whole number for Slurm. Found {value}. Round it up, or use Ray.")
    return Cluster(SlurmLauncher(folder / "logs", int(cpus), int(gpus), _options(arguments.slurm)), folder)


def _check(arguments: argparse.Namespace) -> None:
    """Raise SpecError for a number that is out of range."""
    for option, (least, most) in _RANGES.items():
        value = getattr(arguments, option)
        if value is not None and not least <= value <= most:
            raise SpecError(f"--{option.replace('_', '-')} should be in [{least}, {most}]. Found {value}.")


def _options(text: str) -> Mapping[str, Any]:
    """Return the options of jobs; numbers are numbers. Raises SpecError for what is no list of pairs."""
    options: dict[str, Any] = {}
    for pair in filter(None, text.split(",")):
        key, given, value = pair.partition("=")
        if not given:
            raise SpecError(
                f"--slurm should be KEY=VALUE,KEY=VALUE. Found {pair!r} in it. Write, for example, mem_gb=16."
            )
        options[key] = int(value) if value.isdecimal() else value
    return options
