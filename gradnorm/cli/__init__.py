"""The command line. Its options are the spec's own declarations."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from gradnorm.cli import data, listing, making, training
from gradnorm.cli.output import USAGE
from gradnorm.cli.parser import parser
from gradnorm.config.spec import SpecError
from gradnorm.datasets.readers.folders import DataError

_COMMANDS = {
    "train": training.train,
    "resume": training.resume,
    "fork": training.fork,
    "runs": listing.runs,
    "export": listing.export,
    "methods": listing.methods,
    "cite": listing.cite,
    "figure2": making.figure2,
    "dashboard": making.dashboard,
    "bench": making.bench,
    "data": data.data,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code: 0 done, 1 failed, 2 bad usage, 3 diverged, 130 stopped."""
    given = parser().parse_args(arguments)
    try:
        return _COMMANDS[given.command](given)
    except BrokenPipeError:
        # Whoever read our output has had enough, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (SpecError, DataError, OSError) as error:
        return _complain(str(error))
    except Exception as error:
        from gradnorm.export.script import NoScriptError
        from gradnorm.runs.checkpoint_files import CheckpointError
        from gradnorm.runs.database import StoreError
        from gradnorm.runs.store import CannotGoOnError, UnknownRunError

        if isinstance(error, NoScriptError | CheckpointError | StoreError | UnknownRunError | CannotGoOnError):
            return _complain(str(error))
        raise


def _complain(message: str) -> int:
    print(f"gradnorm: {message}", file=sys.stderr)
    return USAGE
