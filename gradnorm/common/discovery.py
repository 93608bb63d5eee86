"""Finds the weighting methods and data sets: a new one is one new file, with no list to keep.

A file that cannot be imported raises; it is never skipped.
"""

from __future__ import annotations

import inspect
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType
from typing import TypeVar

Class = TypeVar("Class")


@cache
def discover(base: type[Class], *packages: str) -> MappingProxyType[str, type[Class]]:
    """Return the concrete subclasses of `base` defined in the modules of `packages`, by their `name`.

    Raises ValueError if two of them share a name, and whatever a broken module raises.
    """
    classes: dict[str, type[Class]] = {}
    for package in packages:
        root = import_module(package)
        for info in sorted(iter_modules(root.__path__), key=lambda info: info.name):
            module = import_module(f"{package}.{info.name}")
            for item in vars(module).values():
                if not inspect.isclass(item) or not issubclass(item, base) or inspect.isabstract(item):
                    continue
                if item.__module__ != module.__name__:
                    continue
                name = str(getattr(item, "name"))  # noqa: B009
                if name in classes:
                    raise ValueError(f"Names in {package} should be unique. Found {name!r} twice. Rename one.")
                classes[name] = item
    return MappingProxyType(classes)
