"""Files named on the command line: they may lie wherever they are, unless GRADNORM_DATA is set.

Whoever types a path can read the file anyway. But a stored run that is resumed may be a visitor's of the dashboard, so
where GRADNORM_DATA is set it confines the command line, too.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gradnorm.config.options import options
from gradnorm.config.spec import SpecError, datasets
from gradnorm.datasets.problems.own_file import OwnProblem, permit, terms_of
from gradnorm.datasets.readers.folders import UPLOADED, data_root


def take_path(arguments: argparse.Namespace) -> None:
    """Read `--dataset NAME:PATH` as the data set and its path, and make paths absolute.

    Raises SpecError for a data set that takes no path, and for a path where nothing is.
    """
    name, colon, path = (arguments.dataset or "").partition(":")
    keys = path_keys(name)
    if colon:
        if not keys:
            able = [other for other in datasets() if path_keys(other)]
            raise SpecError(
                f"dataset should be one of {', '.join(datasets())}, and {', '.join(able)} may be followed by :PATH. "
                f"Found {arguments.dataset!r}. Choose one with --dataset."
            )
        arguments.dataset = name
        setattr(arguments, keys[0], path)
    for option in options():
        value = getattr(arguments, option.key, None)
        if option.extra.get("path") and value and not value.startswith(UPLOADED):
            setattr(arguments, option.key, str(_absolute(value)))

    if arguments.dataset == OwnProblem.name and arguments.file and arguments.term_names is None:
        arguments.term_names = _terms(arguments)


def _terms(arguments: argparse.Namespace) -> tuple[str, ...]:
    """Return the names of the losses of the person's own problem. Raises DataError if its file cannot be used."""
    open_up({"dataset": OwnProblem.name, "file": arguments.file}, arguments.home)
    sizes = {key: int(value) for key in ("coordinates", "values") if (value := getattr(arguments, key)) is not None}
    return terms_of(arguments.file, **sizes)


def _absolute(path: str) -> Path:
    """Return where a file is that was named: in the working directory, else below the data root. Raises SpecError."""
    here = Path(path).expanduser().absolute()
    for place in (here, data_root() / path):
        if place.exists():
            return place
    raise SpecError(f"There should be a file or folder {path!r}. Found no such file at {here}. Check its name.")


def open_up(spec: Mapping[str, Any], home: Path | None) -> None:
    """Let the data set of a flat spec read absolute paths, unless GRADNORM_DATA is set; set but empty, it is not.

    The person's own problem may also execute its file: whoever types a command may run the code anyway.

    home: where `upload:` files are, if not where GRADNORM_HOME says.
    """
    if spec.get("dataset") == OwnProblem.name:
        permit()
    paths = [str(spec.get(key, "")) for key in path_keys(str(spec.get("dataset")))]
    if any(Path(path).is_absolute() for path in paths) and not os.environ.get("GRADNORM_DATA"):
        os.environ["GRADNORM_DATA"] = "/"
    if home is not None and any(path.startswith(UPLOADED) for path in paths):
        os.environ["GRADNORM_HOME"] = str(home)


def path_keys(dataset: str) -> list[str]:
    """Return the options of a data set that are paths; none for an unknown data set."""
    if dataset not in datasets():
        return []
    return [option.key for option in options(dataset) if option.part == "dataset" and option.extra.get("path")]
