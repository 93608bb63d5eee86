"""Makes this process one in which only some packages are installed."""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder

# What the extras bring, and nothing else does.
_NAMES = """torchjd clarabel scipy pandas pyarrow h5py PIL apsw psutil tqdm streamlit starlette uvicorn websockets
plotly matplotlib babel playwright ray submitit"""
OPTIONAL = frozenset(_NAMES.split())


def hide(*packages: str) -> None:
    """Let no import find `packages` from now on."""

    class Finder(PathFinder):
        @classmethod
        def find_spec(cls, fullname, path=None, target=None):
            return None if fullname in packages else super().find_spec(fullname, path, target)

    sys.meta_path[:] = [Finder if finder is PathFinder else finder for finder in sys.meta_path]
