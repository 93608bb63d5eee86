"""Modules under the names that they once had: exported scripts and own methods and data sets still import them.

An import of a former name gives a stand-in that looks every attribute up in the module of today, with a
DeprecationWarning that says where that is. `gradnorm/__init__.py` installs the finder.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType

_DATASETS = "gradnorm.datasets"
_BUILTIN = ("bikes", "diamonds", "digits", "overlay", "rooms", "toy")
_BY_PATH = ("mtan", "mtfl", "nyuv2", "own_table", "sarcos")
# Former name → today's. The names of a package's modules follow from its own.
FORMER_NAMES = {
    "gradnorm.balancing": "gradnorm.methods",
    "gradnorm.models.criterion": "gradnorm.training.batched.criterion",
    "gradnorm.models.stack": "gradnorm.training.batched.stack",
    "gradnorm.records": "gradnorm.runs.records",
    "gradnorm.recording": "gradnorm.runs.recorder",
    "gradnorm.spec": "gradnorm.config.spec",
    "gradnorm.store": "gradnorm.runs.store",
    f"{_DATASETS}.folders": f"{_DATASETS}.readers.folders",
    f"{_DATASETS}.table": f"{_DATASETS}.tabular.table",
    **{f"{_DATASETS}.{name}": f"{_DATASETS}.builtin.{name}" for name in _BUILTIN},
    **{f"{_DATASETS}.{name}": f"{_DATASETS}.by_path.{name}" for name in _BY_PATH},
}


def todays_name(name: str) -> str | None:
    """Return where a module of a former name is today; None if the name is no former one."""
    if name in FORMER_NAMES:
        return FORMER_NAMES[name]
    package, _, module = name.rpartition(".")
    return f"{FORMER_NAMES[package]}.{module}" if package in FORMER_NAMES else None


class _Finder:
    """Finds modules by former names, where Python has found none of that name."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> object:
        today = todays_name(name)
        if today is None:
            return None
        return ModuleSpec(name, _Loader(today), is_package=name in FORMER_NAMES)  # pyright: ignore[reportArgumentType]


class _Loader:
    """Makes the stand-in for a module."""

    def __init__(self, today: str) -> None:
        self._today = today

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave it to Python to make an empty module."""

    def exec_module(self, module: ModuleType) -> None:
        """Let the module's attributes be those of today's module. Raises ModuleNotFoundError if there is none."""
        now = import_module(self._today)
        # Frames of the import system are not counted: the warning names the line that imports.
        warnings.warn(
            f"The module should be imported as {self._today}. Found its former name {module.__name__}. "
            "Change the import.",
            DeprecationWarning,
            stacklevel=2,
        )
        module.__doc__ = now.__doc__
        module.__dict__["__getattr__"] = partial(getattr, now)
        module.__dict__["__dir__"] = lambda: dir(now)


def install() -> None:
    """Let former names be imported; done once."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())  # pyright: ignore[reportArgumentType]
