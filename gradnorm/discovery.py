"""Finds what each room offers: a new method, dataset or model is one new file, with no list to keep.

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
def discover(package: str, base: type[Class]) -> MappingProxyType[str, type[Class]]:
    """Return the concrete subclasses of `base` defined in `package`'s modules, by their `name`.

    Raises ValueError if two of them share a name, and whatever a broken module raises.
    """
    found: dict[str, type[Class]] = {}
    root = import_module(package)
    for info in sorted(iter_modules(root.__path__), key=lambda info: info.name):
        module = import_module(f"{package}.{info.name}")
        for item in vars(module).values():
            if not inspect.isclass(item) or not issubclass(item, base) or inspect.isabstract(item):
                continue
            if item.__module__ != module.__name__:
                continue
            name = str(getattr(item, "name"))  # noqa: B009
            if name in found:
                raise ValueError(f"Names in {package} should be unique. Found {name!r} twice. Rename one.")
            found[name] = item
    return MappingProxyType(found)
