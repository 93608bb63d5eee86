"""Packages that only some uses of the library need: which of the extras brings each, and what to say if it is missing.

The extras themselves are declared in pyproject.toml, under [project.optional-dependencies].
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from types import MappingProxyType

DISTRIBUTION = "gradnorm-live"

# The smallest extra that brings a package, by the name that is imported.
EXTRA_OF: Mapping[str, str] = MappingProxyType(
    {
        "torchjd": "surgery",
        "cvxpy": "surgery",
        "clarabel": "surgery",
        "scipy": "surgery",
        "pandas": "data",
        "pyarrow": "data",
        "h5py": "data",
        "PIL": "data",
        "apsw": "recorder",
        "psutil": "recorder",
        "tqdm": "cli",
        "streamlit": "dashboard",
        "starlette": "dashboard",
        "uvicorn": "dashboard",
        "websockets": "dashboard",
        "plotly": "dashboard",
        "tensorboardX": "dashboard",
        "matplotlib": "dashboard",
    }
)


class MissingPackageError(ImportError):
    """A package is not installed; the message names who needs it and the command that installs it."""


def require(user: str, extra: str, *packages: str) -> None:
    """Raise MissingPackageError if any of `packages` is not installed. None of them is imported.

    user: who needs them, as in "gradnorm train".  extra: the extra that brings them, as in "cli".
    packages: names that are imported, such as "PIL".
    """
    for package in packages:
        if find_spec(package) is None:
            raise MissingPackageError(missing(user, package, f"'{DISTRIBUTION}[{extra}]'"), name=package)


def missing(user: str, package: str, requirement: str) -> str:
    """Return the sentences for a package that `user` needs and that pip installs as `requirement`."""
    return f"{user} needs {package}. Found it not installed. Install it with: pip install {requirement}"


def explain_import(user: str, error: ImportError) -> str | None:
    """Return those sentences for an import that failed, or None if no extra would mend it."""
    if isinstance(error, MissingPackageError):
        return str(error)
    package = (error.name or "").partition(".")[0]
    extra = EXTRA_OF.get(package)
    if extra is None or not isinstance(error, ModuleNotFoundError):
        return None
    return missing(user, package, f"'{DISTRIBUTION}[{extra}]'")
