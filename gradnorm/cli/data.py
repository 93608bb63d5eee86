"""Commands that make data: rendered rooms in a file laid out as NYUv2's."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from typing import Any

from gradnorm.cli.output import STOPPED, check_replaceable, check_writable
from gradnorm.config.spec import SpecError

MOST_ROOMS = 100_000
SMALLEST, LARGEST = 32, 2048


def data(arguments: argparse.Namespace) -> int:
    """Write rooms, and if they are asked for their splits and keypoints."""
    import numpy as np
    from tqdm import tqdm

    from gradnorm.rendering.nyu_file import DESCRIPTION, write_mat, write_splits
    from gradnorm.rendering.rooms import Room, room

    height, width = _checked(arguments)
    check_replaceable(arguments.out, arguments.splits, arguments.layouts)
    splits = write_splits(arguments.splits, arguments.count) if arguments.splits else None
    check_writable(arguments.layouts)
    points: list[Any] = []

    def rooms() -> Iterator[Room]:
        for i in tqdm(range(arguments.count), "Rooms", unit="room", disable=not sys.stderr.isatty()):
            each = room(arguments.seed, i, height, width)
            points.append(each.scene.keypoints)
            yield each

    try:
        write_mat(arguments.out, rooms(), arguments.count)
    except KeyboardInterrupt:
        print(f"gradnorm: stopped; {arguments.out} was not written.", file=sys.stderr)
        return STOPPED
    print(f"{arguments.out}: {arguments.count} rooms of {height} × {width} pixels, {DESCRIPTION}")
    if splits:
        print(f"{arguments.splits}: {splits[0]} for training, {splits[1]} for testing, {DESCRIPTION}")
    if arguments.layouts:
        with arguments.layouts.open("wb") as file:
            np.save(file, np.stack(points))
        print(f"{arguments.layouts}: keypoints of their layouts, {DESCRIPTION}")
    return 0


def _checked(arguments: argparse.Namespace) -> tuple[int, int]:
    """Return height and width; raise SpecError for what cannot be made."""
    least, why = (2, ", for --splits,") if arguments.splits else (1, "")
    if not least <= arguments.count <= MOST_ROOMS:
        raise SpecError(
            f"count should be from {least}{why} to {MOST_ROOMS:,}. Found {arguments.count}. Set it with --count."
        )
    if arguments.seed < 0:
        raise SpecError(f"seed should be at least 0. Found {arguments.seed}. Set it with --seed.")
    size = re.fullmatch(r"(\d{1,5})[x×](\d{1,5})", arguments.size)
    height, width = (int(size[1]), int(size[2])) if size else (0, 0)
    if not (SMALLEST <= height <= LARGEST and SMALLEST <= width <= LARGEST):
        raise SpecError(
            f"size should be HEIGHTxWIDTH, each in [{SMALLEST}, {LARGEST}], as 480x640. Found {arguments.size!r}. "
            "Set it with --size."
        )
    files = [path.resolve() for path in (arguments.out, arguments.splits, arguments.layouts) if path is not None]
    if len(set(files)) < len(files):
        raise SpecError("out, splits and layouts should be different files. Found one twice. Choose other names.")
    return height, width
