"""A data root of its own for every test."""

import pytest


@pytest.fixture
def data(tmp_path, monkeypatch):
    """An empty folder that is the data root."""
    root = tmp_path / "data"
    root.mkdir()
    monkeypatch.setenv("GRADNORM_DATA", str(root))
    return root
