"""The person's own problem: a Python file with one function that returns named losses.

To load it is to execute the person's code. So a process has to say that it may (`permit`), as the command line does;
the dashboard, whose visitors choose options by address, never does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
from pydantic import Field, field_validator

from gradnorm.common.declarations import names
from gradnorm.datasets.base import Source
from gradnorm.datasets.problems.base import Model, Problem
from gradnorm.datasets.readers.folders import DataError, allowed_file

if TYPE_CHECKING:
    from torch import Tensor, nn

# A step of such a problem is one number below this, from which the file's random numbers come.
_NUMBERS = 2**62
_permitted = False


def permit() -> None:
    """Let this process execute files of problems from now on."""
    global _permitted  # noqa: PLW0603
    _permitted = True


class OwnProblem(Problem):
    """Losses that a Python file of the person's own computes.

    Its function losses(model, random) returns a scalar tensor for each name. random is a numpy Generator, a function of
    the run's seed and the step. The file may also have network(seed), a torch module, and error(model), a number that
    is better if it is less.
    """

    name: ClassVar[str] = "problem"
    title: ClassVar[str] = "Your problem"
    summary: ClassVar[str] = "Losses that a Python file of yours computes; started on the command line alone."
    metric: ClassVar[str] = "error"
    by_path: ClassVar[bool] = True
    from_pages: ClassVar[bool] = False
    recommended: ClassVar[Mapping[str, Any]] = {"optimizer": "adam", "initialization": "xavier"}

    file: str = Field(
        "",
        title="File",
        description="Python, with a function losses(model, random). It is executed.",
        json_schema_extra={"path": True},
    )
    term_names: tuple[str, ...] = Field(
        (), title="Terms", description="The names of the losses; the command line reads them off the file."
    )
    coordinates: int = Field(2, ge=1, le=1000, title="Coordinates", description="Of a point that the network takes.")
    values: int = Field(1, ge=1, le=1000, title="Values", description="That the network gives for a point.")

    @field_validator("term_names", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return names(value)

    @property
    def task_names(self) -> tuple[str, ...]:
        """The names of the losses; a placeholder if none is known yet."""
        return self.term_names or ("loss",)

    @property
    def shape(self) -> tuple[int, int]:
        """Coordinates and values."""
        return self.coordinates, self.values

    def load(self, seed: int) -> Source:
        """Return a source of random numbers, once the file has been read. Raises DataError if it cannot be used."""
        _main(self.file)
        return super().load(seed)

    def points(self, random: np.random.Generator, size: int) -> Tensor:
        """Return the number that the step's random numbers come from, [1, 1]; the file draws its own points."""
        import torch

        return torch.tensor([[int(random.integers(_NUMBERS))]])

    def losses(self, model: Model, points: Tensor) -> Sequence[Tensor]:
        """Return what the file's function gives. Raises DataError if that is not a scalar for each term."""
        found = _losses(self.file, model, int(points[0, 0]))
        if set(found) != set(self.task_names):
            raise DataError(
                f"losses in {self.file!r} should name {', '.join(self.task_names)} at each step. "
                f"Found {', '.join(found)}. Give every loss at every step, or name others with --term-names."
            )
        return [found[name] for name in self.task_names]

    def error(self, model: Model) -> float | None:
        """Return what the file's function `error` gives; None if it has none. Raises DataError if it fails."""
        judge = _function(self.file, "error")
        return None if judge is None else _called(self.file, "error", lambda: float(judge(model)))

    def network(self, seed: int) -> nn.Module | None:
        """Return what the file's function `network` gives; None if it has none. Raises DataError if it fails."""
        return _network(self.file, seed)


def terms_of(file: str, coordinates: int = 2, values: int = 1) -> tuple[str, ...]:
    """Return the names of the losses that a file gives, by calling its function once.

    file: its path.  coordinates, values: of the network, if the file makes none.
    Raises DataError if that cannot be done.
    """
    from torch import nn

    model = _network(file, 0) or nn.Sequential(nn.Linear(coordinates, 2), nn.Tanh(), nn.Linear(2, values))
    return tuple(_losses(file, model, 0))


def _network(file: str, seed: int) -> nn.Module | None:
    """Return the network that the file makes; None if it makes none. Raises DataError."""
    from torch import nn

    make = _function(file, "network")
    if make is None:
        return None
    made = _called(file, "network", lambda: make(seed))
    if not isinstance(made, nn.Module):
        raise DataError(f"network in {file!r} should return a torch module. Found {type(made).__name__}. Return one.")
    return made


def _losses(file: str, model: Model, number: int) -> Mapping[str, Tensor]:
    """Return the file's losses, each a scalar. number: that random numbers come from. Raises DataError."""
    import torch

    compute = _main(file)
    found: Any = _called(file, "losses", lambda: compute(model, np.random.Generator(np.random.Philox(number))))
    if not isinstance(found, Mapping) or not found:
        raise DataError(
            f'losses in {file!r} should return a dictionary, as in {{"residual": …}}. Found {type(found).__name__}. '
            "Name each loss."
        )
    for name, loss in cast("Mapping[Any, Any]", found).items():
        if not isinstance(name, str) or not isinstance(loss, torch.Tensor) or loss.dim():
            raise DataError(
                f"losses in {file!r} should return a scalar tensor for each name. Found {_described(loss)} for "
                f"{name!r}. Take its mean."
            )
    return cast("Mapping[str, Tensor]", found)


def _main(file: str) -> Callable[..., Any]:
    """Return the file's one function that it must have. Raises DataError."""
    compute = _function(file, "losses")
    if compute is None:
        raise DataError(f"{file!r} should have a function losses(model, random). Found none. Write one.")
    return compute


def _described(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return type(value).__name__ if shape is None else f"the shape {tuple(shape)}"


def _called(file: str, name: str, call: Callable[[], Any]) -> Any:
    """Return what a function of the file returns. Raises DataError, with the line, for whatever it raises."""
    try:
        return call()
    except Exception as error:
        raise _fault(file, f"{name} in {file!r}", error) from error


def _fault(file: str, what: str, error: Exception) -> DataError:
    trace, line = error.__traceback__, 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(allowed_file(file)):
            line = trace.tb_lineno
        trace = trace.tb_next
    where = f" in line {line}" if line else ""
    return DataError(
        f"{what} should run without an error. Found {type(error).__name__}{where}: {error}. Mend the file."
    )


def _function(file: str, name: str) -> Callable[..., Any] | None:
    """Return a function of the file, or None. Raises DataError if the file may not or cannot be executed."""
    if not _permitted:
        raise DataError(
            "A problem of your own should be started on the command line: its file is Python code, which pages do not "
            "execute. Found it asked for elsewhere. Use `gradnorm train --dataset problem:FILE`."
        )
    if not file:
        raise DataError("file should name a Python file. Found none. Set it with --dataset problem:FILE.")
    path = allowed_file(file)
    found = _namespace(path, path.stat().st_mtime_ns).get(name)
    return found if callable(found) else None


@lru_cache(maxsize=4)
def _namespace(path: Path, changed: int) -> Mapping[str, Any]:
    """Return what the file defines. changed: when it was last written, so that another text is read again."""
    spec = spec_from_file_location("own_problem", path)
    if spec is None or spec.loader is None:
        raise DataError(f"{str(path)!r} should be a Python file. Found another ending. Name it FILE.py.")
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise _fault(str(path), repr(str(path)), error) from error
    return vars(module)
