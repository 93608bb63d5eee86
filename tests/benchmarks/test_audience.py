"""The benchmark of a class that watches, once through with few viewers; how fast it is is no test."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks import audience, streaming

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_class_is_measured(monkeypatch):
    monkeypatch.setattr(audience, "WINDOW", 0.5)
    monkeypatch.setattr(audience, "ROUNDS", 1)
    monkeypatch.setattr(audience, "SECONDS", 2.0)
    # Playwright wants a thread without a browser of its own, which the tests of this worker may have.
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(streaming.run, viewers=4).result()
    assert found["benchmark"] == "streaming"
    results = found["results"]
    assert results["viewers_heard"] == 3  # and one browser
    assert 0 < results["step_to_viewer_ms"]["median"] <= results["step_to_viewer_ms"]["p95"]
    assert results["messages_per_viewer_second"] > 1
    assert results["browser"]["frames_per_second"] > 0
    assert all(rate > 0 for rate in results["steps_per_second"])
