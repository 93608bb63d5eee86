"""The benchmark of the start, once through; how fast it is depends on the machine, and is no test."""

import statistics
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks import startup

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_start_is_measured():
    # Playwright wants a thread without a browser of its own, which the tests of this worker may have.
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(startup.run, starts=1, clicks=1).result()
    assert found["benchmark"] == "startup"
    results = found["results"]
    for result in results.values():
        assert result["median"] == pytest.approx(statistics.median(result["measured"]), abs=0.01)
        assert result["most"] == max(result["measured"])
    up, cold, whole = (
        results[name]["median"]
        for name in ("command_to_health_seconds", "cold_start_to_point_seconds", "command_to_point_seconds")
    )
    assert up + cold < whole
    assert results["cold_start_to_queued_seconds"]["median"] < cold
