"""Tables to try the page with, and a template: for those who have no file at hand."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gradnorm.common.texts import later
from gradnorm.datasets import builtin

_FILES = Path(builtin.__file__).parent / "files"
# Rows enough to learn from, few enough to train in a few seconds.
_ROWS = 3000


@dataclass(frozen=True)
class Sample:
    """A table that comes in the box.

    targets: as in `OwnTable`, a column with its form.  without: columns that are left out, since they tell the targets.
    """

    title: str
    name: str
    file: str
    targets: tuple[str, ...]
    without: tuple[str, ...] = ()

    @property
    def content(self) -> bytes:
        """The table as CSV: rows spread evenly over the whole of it."""
        return _thinned(self.file, self.without)


SAMPLES: Sequence[Sample] = (
    Sample(later("Diamonds"), "diamonds-sample.csv", "diamonds.csv.gz", ("price:number", "cut:class", "depth:number")),
    Sample(
        later("Bike hire"),
        "bike-hire-sample.csv",
        "bikeshare.csv.gz",
        ("casual:number", "registered:number"),
        without=("bikers",),
    ),
)

# As many rows as a table has to have, and a few more.
TEMPLATE = """\
size,rooms,built,town,price,kind
92,3,1933,Bonn,177000,flat
37,1,1990,Bonn,87000,flat
47,2,1986,Ulm,72000,flat
59,2,1947,Bonn,130000,flat
38,1,1953,Kiel,55000,flat
127,4,1997,Ulm,240000,house
131,5,1951,Kiel,221000,house
172,6,1920,Bonn,418000,house
178,6,1959,Kiel,320000,house
105,4,1977,Bonn,217000,flat
110,4,2022,Bonn,292000,house
103,4,1988,Kiel,200000,house
119,4,2006,Ulm,223000,house
144,5,1943,Bonn,334000,house
114,4,1991,Kiel,228000,house
90,3,2017,Bonn,236000,house
92,3,1962,Ulm,157000,house
123,4,1930,Kiel,225000,house
105,4,2006,Kiel,200000,house
71,2,1972,Kiel,116000,flat
51,2,1999,Bonn,108000,flat
129,4,1940,Kiel,222000,house
34,1,1925,Bonn,71000,flat
106,4,1932,Kiel,182000,house
"""


@cache
def _thinned(file: str, without: tuple[str, ...]) -> bytes:
    with gzip.open(_FILES / file, "rt", encoding="utf-8", newline="") as lines:
        head, *rows = csv.reader(lines)
    kept = [i for i, name in enumerate(head) if name not in without]
    every = max(1, len(rows) // _ROWS)
    out = io.StringIO(newline="")
    table = ([row[i] for i in kept] for row in [head, *rows[::every][:_ROWS]])
    csv.writer(out, lineterminator="\n").writerows(table)
    return out.getvalue().encode()
