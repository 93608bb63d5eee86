"""Rooms rendered a second on one thread, at the size that is trained on and at NYUv2's."""

from __future__ import annotations

from itertools import cycle
from typing import Any

from benchmarks.environment import environment
from benchmarks.rounds import medians, one_thread, timed
from gradnorm.rendering.rooms import render
from gradnorm.rendering.views import layout_type

SIZES = {"128x128": (128, 128), "480x640": (480, 640)}
# Each layout type once.
ROOMS = 11


def run(rounds: int = 7) -> dict[str, Any]:
    """Return pictures a second at each size: the median over rounds, each of which renders the same rooms."""
    numbers = {name: cycle(range(ROOMS)) for name in SIZES}

    def some(name: str) -> None:
        for _ in range(ROOMS):
            render(0, next(numbers[name]), *SIZES[name])

    with one_thread():
        times = timed({name: lambda name=name: some(name) for name in SIZES}, rounds)
    milliseconds = {name: each / ROOMS for name, each in medians(times).items()}
    results: dict[str, Any] = {f"images_per_second_{name}": round(1e3 / each, 1) for name, each in milliseconds.items()}
    details = {
        "milliseconds an image": {name: round(each, 2) for name, each in milliseconds.items()},
        "layout types": sorted({layout_type(0, index) for index in range(ROOMS)}),
    }
    return {"benchmark": "rooms", "environment": environment(), "results": results, "details": details}
