"""Named starting points: flat keys of a spec each. `gradnorm.config.spec.preset` makes a spec of one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "toy-2": {"dataset": "toy", "tasks": 2, "sigmas": (1.0, 100.0), "method": "gradnorm", "alpha": 0.12},
        # Short, and with a story: equal weights leave the small task worse than untrained for half of the race.
        "first-race": {
            "dataset": "toy",
            "tasks": 2,
            "sigmas": (1.0, 30.0),
            "method": "gradnorm",
            "steps": 800,
            "optimizer": "adam",
            "learning_rate": 0.002,
            "eval_every": 20,
            "checkpoint_every": 100,
        },
        # |N(0, 100)|, drawn once by numpy.random.default_rng(0).
        "toy-10": {
            "dataset": "toy",
            "tasks": 10,
            "sigmas": (12.6, 13.2, 64.0, 10.5, 53.6, 36.2, 130.0, 94.7, 70.4, 127.0),
            "method": "gradnorm",
            "alpha": 0.12,
        },
        # What a task that cannot improve does to GradNorm.
        "noise": {
            "dataset": "toy",
            "tasks": 3,
            "sigmas": (10.0, 10.0, 10.0),
            "noise": 1,
            "method": "gradnorm",
            "alpha": 1.5,
        },
        "digits": {"dataset": "digits", "method": "gradnorm"},
        "diamonds": {"dataset": "diamonds", "method": "gradnorm"},
        "bikes": {"dataset": "bikes", "method": "gradnorm"},
        "rooms": {"dataset": "rooms", "method": "gradnorm"},
        "helmholtz": {"dataset": "helmholtz", "method": "gradnorm"},
        "overlay": {"dataset": "overlay", "units": "centred", "method": "gradnorm"},
    }
)
