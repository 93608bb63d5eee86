"""Files named on the command line: whoever types them can read them anyway, so they may lie wherever they are."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gradnorm.config.options import options
from gradnorm.config.spec import SpecError, datasets
from gradnorm.datasets.readers.folders import UPLOADED, data_root


def take_path(arguments: argparse.Namespace) -> None:
    """Read `--dataset NAME:PATH` as the data set and its path, and make paths absolute. Raises SpecError."""
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


def _absolute(path: str) -> Path:
    """Return where a file is that was named: in the working directory, else below the data root if it is there."""
    here = Path(path).expanduser().absolute()
    below = data_root() / path
    return below if below.exists() and not here.exists() else here


def open_up(spec: Mapping[str, Any], home: Path | None) -> None:
    """Let the data set of a flat spec read absolute paths, unless GRADNORM_DATA says otherwise.

    home: where `upload:` files are, if not where GRADNORM_HOME says.
    """
    paths = [str(spec.get(key, "")) for key in path_keys(str(spec.get("dataset")))]
    if any(Path(path).is_absolute() for path in paths):
        os.environ.setdefault("GRADNORM_DATA", "/")
    if home is not None and any(path.startswith(UPLOADED) for path in paths):
        os.environ["GRADNORM_HOME"] = str(home)


def path_keys(dataset: str) -> list[str]:
    """Return the options of a data set that are paths; none for an unknown data set."""
    if dataset not in datasets():
        return []
    return [option.key for option in options(dataset) if option.part == "dataset" and option.extra.get("path")]
