"""The shapes of the tensors that travel between packages, as jaxtyping annotations.

This module imports neither torch nor jaxtyping: the pages read the methods' declarations before torch is loaded,
and a library user's import should be quick. Under pytest jaxtyping is loaded first; the annotations are then the real
ones, and beartype checks them at every call. Elsewhere nothing evaluates them.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor

    PerTask: TypeAlias = Tensor
    Scalar: TypeAlias = Tensor
    Mean: TypeAlias = Tensor
    Gramian: TypeAlias = Tensor
elif "torch" in sys.modules and "jaxtyping" in sys.modules:
    from jaxtyping import Float
    from torch import Tensor

    PerTask: TypeAlias = Float[Tensor, "*runs tasks"]  # pyright: ignore
    Scalar: TypeAlias = Float[Tensor, "*runs"]  # pyright: ignore
    Mean: TypeAlias = Float[Tensor, "*runs 1"]  # pyright: ignore
    Gramian: TypeAlias = Float[Tensor, "tasks tasks"]  # pyright: ignore
else:
    PerTask: TypeAlias = Any
    Scalar: TypeAlias = Any
    Mean: TypeAlias = Any
    Gramian: TypeAlias = Any

__all__ = ["Gramian", "Mean", "PerTask", "Scalar"]
