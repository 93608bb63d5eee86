"""What a worker of a lease sends: a piece of the records of each of its runs, sealed in one file.

Rows are float32, in the columns of their run; the rest is JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from gradnorm.runs.records import Evaluation, Event, Outcome
from gradnorm.runs.sealed_files import read_sealed, write_sealed

_KIND = "gradnorm segment 1"
_PLAIN = ("run", "first", "steps", "seconds", "device")


@dataclass(frozen=True)
class Piece:
    """Records of one run that follow those of the piece before.

    first: the step of the first row.  rows: float32, row-major, in the run's own columns.  steps: how many there are.
    seconds: spent on them.  device: what the run is trained on, once that is known.
    checkpoints: the steps after which the worker has kept one since.  outcome: how the run ended.
    """

    run: str
    first: int
    rows: bytes = b""
    evaluations: Sequence[Evaluation] = ()
    events: Sequence[Event] = ()
    seconds: float = 0.0
    device: str | None = None
    checkpoints: Sequence[int] = ()
    outcome: Outcome | None = None
    steps: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return all but the rows, of which their size, as plain JSON types."""
        return {
            **{name: getattr(self, name) for name in _PLAIN},
            "rows": len(self.rows),
            "evaluations": [each.to_dict() for each in self.evaluations],
            "events": [vars(each) for each in self.events],
            "checkpoints": list(self.checkpoints),
            "outcome": self.outcome and self.outcome.to_dict(),
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any], rows: bytes) -> Self:
        """Return what `to_dict` gave, with its rows."""
        return cls(
            **{name: plain[name] for name in _PLAIN},
            rows=rows,
            evaluations=tuple(Evaluation.from_dict(each) for each in plain["evaluations"]),
            events=tuple(Event(**each) for each in plain["events"]),
            checkpoints=tuple(plain["checkpoints"]),
            outcome=plain["outcome"] and Outcome.from_dict(plain["outcome"]),
        )


@dataclass(frozen=True)
class Segment:
    """Pieces of a lease's runs that were sealed together. number: from 1 in each attempt, without a gap."""

    lease: str
    attempt: int
    number: int
    pieces: Sequence[Piece]

    def write(self, path: Path) -> None:
        """Write it whole or not at all. Raises OSError."""
        head = {"lease": self.lease, "attempt": self.attempt, "number": self.number}
        text = json.dumps({**head, "pieces": [piece.to_dict() for piece in self.pieces]})
        write_sealed(path, _KIND, b"\n".join([text.encode(), b"".join(piece.rows for piece in self.pieces)]))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return what was written. Raises OSError if there is no file, SealError if it is damaged."""
        text, _, rows = read_sealed(path, _KIND).partition(b"\n")
        plain, pieces, at = json.loads(text), list[Piece](), 0
        for each in plain.pop("pieces"):
            pieces.append(Piece.from_dict(each, rows[at : at + each["rows"]]))
            at += each["rows"]
        return cls(**plain, pieces=pieces)
