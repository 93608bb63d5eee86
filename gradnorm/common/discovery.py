"""Finds weighting methods and data sets: those of this package by their files, those of others by entry points.

A new one is one new file, or one line in another package's pyproject.toml; there is no list to keep. What cannot be
imported raises; it is never skipped.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pkgutil import iter_modules
from types import MappingProxyType, ModuleType
from typing import TypeVar

Class = TypeVar("Class")


class PluginError(ValueError):
    """Another package's method or data set cannot be used; the message names the package and what to do."""


@cache
def discover(base: type[Class], *packages: str, group: str = "") -> MappingProxyType[str, type[Class]]:
    """Return the concrete subclasses of `base` by their `name`.

    packages: packages of which each module is searched, as in "gradnorm.methods".
    group: entry points that are added, as in "gradnorm.methods": each names a class, or a module that is searched.
    Raises ValueError if two classes share a name, PluginError for an entry point that cannot be used, and whatever
    a broken module of `packages` raises.
    """
    classes: dict[str, type[Class]] = {}
    for package in packages:
        root = import_module(package)
        for info in sorted(iter_modules(root.__path__), key=lambda info: info.name):
            for item in _defined(base, import_module(f"{package}.{info.name}")):
                name = _name(item)
                if name in classes:
                    raise ValueError(f"Names in {package} should be unique. Found {name!r} twice. Rename one.")
                classes[name] = item
    for point in sorted(entry_points(group=group), key=lambda point: (_owner(point), point.name)) if group else ():
        for item in _provided(base, point):
            name = _checked_name(item, point)
            if classes.setdefault(name, item) is not item:
                raise PluginError(
                    f"The names of {group} should be unique. Found {name!r} in package {_owner(point)!r} and in "
                    f"{classes[name].__module__}. Uninstall one of them, or rename its class."
                )
    return MappingProxyType(classes)


def _defined(base: type[Class], module: ModuleType) -> Iterator[type[Class]]:
    """Yield the concrete subclasses of `base` that a module defines itself."""
    for item in vars(module).values():
        if not inspect.isclass(item) or not issubclass(item, base) or inspect.isabstract(item):
            continue
        if item.__module__ == module.__name__:
            yield item


def _provided(base: type[Class], point: EntryPoint) -> list[type[Class]]:
    """Return the classes that an entry point names, at least one. Raises PluginError."""
    try:
        target = point.load()
    # A plugin may fail in any way; which package it is has to be said in each case.
    except Exception as error:
        first_line = str(error).partition("\n")[0].removesuffix(".")
        raise PluginError(
            f"{_described(point)} should be importable. Found {type(error).__name__}: {first_line}. "
            f"Update or uninstall {_owner(point)}."
        ) from error
    classes = list(_defined(base, target)) if inspect.ismodule(target) else [target]
    concrete = [item for item in classes if inspect.isclass(item) and issubclass(item, base)]
    if not classes or len(concrete) < len(classes) or any(map(inspect.isabstract, concrete)):
        raise PluginError(
            f"{_described(point)} should be a concrete subclass of {base.__name__}, or a module with one. "
            f"Found {point.value}. Update or uninstall {_owner(point)}."
        )
    return concrete


def _checked_name(item: type[object], point: EntryPoint) -> str:
    name = getattr(item, "name", None)
    if not isinstance(name, str) or not name:
        raise PluginError(
            f"{_described(point)} should have a text as `name`. Found {name!r}. Update or uninstall {_owner(point)}."
        )
    return name


def _name(item: type[object]) -> str:
    return str(getattr(item, "name"))  # noqa: B009


def _described(point: EntryPoint) -> str:
    return f"{point.value} of package {_owner(point)!r} (entry point {point.name!r} in {point.group})"


def _owner(point: EntryPoint) -> str:
    """Return the name of the package that declares an entry point."""
    return point.dist.name if point.dist is not None else "unknown"
