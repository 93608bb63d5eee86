"""GradNorm, live: adaptive loss balancing for multi-task networks (Chen et al., ICML 2018).

The names below are loaded on first use, so that `import gradnorm` alone does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from gradnorm.common import former_names

if TYPE_CHECKING:
    from gradnorm.balancer.balancer import Balancer
    from gradnorm.balancer.gradnorm import GradNorm
    from gradnorm.config.spec import RunSpec
    from gradnorm.methods.balance import Balance, NonFiniteLossError
    from gradnorm.runs.knobs import Knob
    from gradnorm.runs.recorder import Recorder
    from gradnorm.training.control import Control
    from gradnorm.training.engine import train
    from gradnorm.training.together import train_together

__all__ = [
    "Balance",
    "Balancer",
    "Control",
    "GradNorm",
    "Knob",
    "NonFiniteLossError",
    "Recorder",
    "RunSpec",
    "train",
    "train_together",
]

_HOME = {
    "Balance": "gradnorm.methods.balance",
    "Balancer": "gradnorm.balancer.balancer",
    "Control": "gradnorm.training.control",
    "GradNorm": "gradnorm.balancer.gradnorm",
    "Knob": "gradnorm.runs.knobs",
    "NonFiniteLossError": "gradnorm.methods.balance",
    "Recorder": "gradnorm.runs.recorder",
    "RunSpec": "gradnorm.config.spec",
    "train": "gradnorm.training.engine",
    "train_together": "gradnorm.training.together",
}

former_names.install()

try:
    __version__ = version("gradnorm-live")
except PackageNotFoundError:  # run from a checkout that is not installed
    __version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'gradnorm' has no attribute {name!r}")
    try:
        return getattr(import_module(_HOME[name]), name)
    except ModuleNotFoundError as error:
        from gradnorm.common.extras import MissingPackageError, explain_import

        message = explain_import(f"gradnorm.{name}", error)
        if message is None:
            raise
        raise MissingPackageError(message, name=error.name) from None
