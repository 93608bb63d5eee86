"""The benchmark of a class that watches, once through with few viewers; how fast it is is no test."""

import pytest

from benchmarks import audience, streaming

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_class_is_measured(monkeypatch):
    monkeypatch.setattr(audience, "WINDOW", 0.5)
    monkeypatch.setattr(audience, "ROUNDS", 1)
    monkeypatch.setattr(audience, "SECONDS", 2.0)
    found = streaming.run(viewers=4)
    assert found["benchmark"] == "streaming"
    results = found["results"]
    assert results["viewers_heard"] == 3  # and one browser
    assert 0 < results["step_to_viewer_ms"]["median"] <= results["step_to_viewer_ms"]["p95"]
    assert results["messages_per_viewer_second"] > 1
    assert results["browser"]["frames_per_second"] > 0
    assert all(rate > 0 for rate in results["steps_per_second"])
