"""Packages that only some uses of the library need: the extra that brings each, and what to say if one is missing.

The extras themselves are declared in pyproject.toml, under [project.optional-dependencies].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from types import MappingProxyType

DISTRIBUTION = "gradnorm-live"

# The smallest extra that brings a package, by the name that is imported.
EXTRA_OF: Mapping[str, str] = MappingProxyType(
    {
        "torchjd": "surgery",
        "clarabel": "surgery",
        "scipy": "data",
        "pandas": "data",
        "pyarrow": "data",
        "h5py": "data",
        "PIL": "data",
        "apsw": "recorder",
        "psutil": "recorder",
        "tqdm": "cli",
        "ray": "ray",
        "submitit": "slurm",
        "streamlit": "dashboard",
        "starlette": "dashboard",
        "uvicorn": "dashboard",
        "websockets": "dashboard",
        "plotly": "dashboard",
        "matplotlib": "dashboard",
        "babel": "dashboard",
    }
)
# Extras that are part of another one.
PARTS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "cli": frozenset({"recorder"}),
        "dashboard": frozenset({"surgery", "data", "recorder", "cli"}),
        "ray": frozenset({"recorder", "cli"}),
        "slurm": frozenset({"recorder", "cli"}),
    }
)
# What pip calls a package that is imported by another name.
_PIP_NAMES = MappingProxyType({"PIL": "pillow"})


class MissingPackageError(ImportError):
    """A package is not installed; the message names who needs it and the command that installs it."""


def require(user: str, *packages: str) -> None:
    """Raise MissingPackageError if any of `packages` is not installed. None of them is imported.

    user: who needs them, as in "gradnorm train".
    packages: the names by which they are imported, all of them keys of `EXTRA_OF`.
    """
    absent = [package for package in packages if find_spec(package) is None]
    if absent:
        raise MissingPackageError(missing(user, absent, requirement(absent)), name=absent[0])


def explain_import(user: str, error: ImportError) -> str | None:
    """Return the sentences for an import that failed, or None if no extra would mend it."""
    if isinstance(error, MissingPackageError):
        return str(error)
    package = (error.name or "").partition(".")[0]
    if package not in EXTRA_OF or find_spec(package) is not None:
        return None
    return missing(user, [package], requirement([package]))


def missing(user: str, packages: Sequence[str], wanted: str) -> str:
    """Return the sentences for packages that `user` needs and that `pip install` brings under the name `wanted`."""
    names = [_PIP_NAMES.get(package, package) for package in packages]
    listed = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    them = "it" if len(names) == 1 else "them"
    return f"{user} needs {listed}. Found {them} not installed. Install {them} with: pip install {wanted}"


def requirement(packages: Sequence[str]) -> str:
    """Return what to hand to `pip install` for these packages, as in "'gradnorm-live[cli,data]'"."""
    extras = {EXTRA_OF[package] for package in packages}
    extras -= {part for extra in extras for part in PARTS.get(extra, ())}
    return f"'{DISTRIBUTION}[{','.join(sorted(extras))}]'"
