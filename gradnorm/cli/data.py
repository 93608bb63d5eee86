"""Commands that make data: rendered rooms in a file laid out as NYUv2's."""

from __future__ import annotations

import argparse
import re
import sys

from gradnorm.cli.output import STOPPED
from gradnorm.spec import SpecError

MOST_ROOMS = 100_000
SMALLEST, LARGEST = 32, 2048


def data(given: argparse.Namespace) -> int:
    """Write rooms, and their splits."""
    from tqdm import tqdm

    from gradnorm.rendering.nyu_file import DESCRIPTION, write_mat, write_splits
    from gradnorm.rendering.rooms import room

    count, (height, width) = given.count, _size(given.size)
    if not (2 if given.splits else 1) <= count <= MOST_ROOMS:
        least = "2, for --splits," if given.splits else "1"
        raise SpecError(f"count should be from {least} to {MOST_ROOMS:,}. Found {count}. Set it with --count.")
    if given.seed < 0:
        raise SpecError(f"seed should be at least 0. Found {given.seed}. Set it with --seed.")
    splits = write_splits(given.splits, count) if given.splits else None
    bar = tqdm(range(count), "Rooms", unit="room", disable=not sys.stderr.isatty())
    try:
        write_mat(given.out, (room(given.seed, i, height, width) for i in bar), count)
    except KeyboardInterrupt:
        print("gradnorm: stopped; nothing was written.", file=sys.stderr)
        return STOPPED
    print(f"{given.out}: {count} rooms of {height} × {width} pixels, {DESCRIPTION}")
    if splits:
        print(f"{given.splits}: {splits[0]} for training, {splits[1]} for testing, {DESCRIPTION}")
    return 0


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,5})[x×](\d{1,5})", text)
    height, width = (int(found[1]), int(found[2])) if found else (0, 0)
    if not (SMALLEST <= height <= LARGEST and SMALLEST <= width <= LARGEST):
        raise SpecError(
            f"size should be HEIGHTxWIDTH, each in [{SMALLEST}, {LARGEST}], as 480x640. Found {text!r}. "
            "Set it with --size."
        )
    return height, width
