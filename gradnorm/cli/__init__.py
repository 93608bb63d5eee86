"""The command line. Its options are the spec's own declarations."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from gradnorm.cli import comparing, data, doctor, listing, making, ranks, runs, studies, training
from gradnorm.cli.output import USAGE
from gradnorm.cli.parser import parser
from gradnorm.common.discovery import PluginError
from gradnorm.common.extras import explain_import, require
from gradnorm.config.spec import SpecError
from gradnorm.datasets.readers.folders import DataError

_COMMANDS = {
    "train": training.train,
    "resume": training.resume,
    "fork": training.fork,
    "study": studies.study,
    "table1": studies.study,
    "table2": studies.study,
    "runs": runs.runs,
    "export": listing.export,
    "compare": comparing.compare,
    "methods": listing.methods,
    "cite": listing.cite,
    "figure2": making.figure2,
    "dashboard": making.dashboard,
    "bench": making.bench,
    "data": data.data,
    "doctor": doctor.doctor,
}
# What several processes of torchrun do together; anything else is done by the first one alone.
_SHARED = ("train", "resume", "fork")
# What a whole command needs besides the library's own packages. Whatever only some of its uses need is
# imported when it comes to that; a failure is told in the same words.
_RUNS = ("apsw", "psutil")
_PACKAGES = {
    "train": (*_RUNS, "tqdm"),
    "resume": (*_RUNS, "tqdm"),
    "fork": (*_RUNS, "tqdm"),
    "study": (*_RUNS, "tqdm"),
    "table1": (*_RUNS, "tqdm"),
    "table2": (*_RUNS, "tqdm"),
    "runs": _RUNS,
    "export": _RUNS,
    "compare": _RUNS,
    "doctor": _RUNS,
    "figure2": ("tqdm", "matplotlib"),
    "data": ("tqdm", "h5py"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code: 0 done, 1 failed, 2 bad usage, 3 diverged, 130 stopped."""
    try:
        parsed = parser().parse_args(arguments)
    except PluginError as error:
        return _complain(str(error))
    user = f"gradnorm {parsed.command}"
    try:
        require(user, *_PACKAGES.get(parsed.command, ()))
        if not ranks.leads():
            return ranks.follow() if parsed.command in _SHARED else 0
        return _COMMANDS[parsed.command](parsed)
    except BrokenPipeError:
        # Whoever read our output has had enough, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ImportError as error:
        message = explain_import(user, error)
        if message is None:
            raise
        return _complain(message)
    except (SpecError, DataError, OSError) as error:
        return _complain(str(error))
    except Exception as error:
        from gradnorm.export.script import NoScriptError
        from gradnorm.export.slices import CutShortError
        from gradnorm.lab.engine import EngineError
        from gradnorm.runs.checkpoint_files import CheckpointError
        from gradnorm.runs.faults import StoreError
        from gradnorm.runs.labels import LabelError
        from gradnorm.runs.store import CannotGoOnError, UnknownRunError
        from gradnorm.runs.studies import UnknownStudyError

        told = (
            NoScriptError,
            CutShortError,
            EngineError,
            CheckpointError,
            StoreError,
            UnknownRunError,
            UnknownStudyError,
            CannotGoOnError,
            LabelError,
        )
        if isinstance(error, told):
            return _complain(str(error))
        raise


def _complain(message: str) -> int:
    print(f"gradnorm: {message}", file=sys.stderr)
    return USAGE
