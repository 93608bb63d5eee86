"""What each page says of a home that is damaged, newer, read-only or deleted."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import apsw
import pytest

from gradnorm.runs.migrations import SCHEMA_VERSION
from gradnorm.runs.store import RunStore
from gradnorm.ui.lab import lab
from tests.factories import SPEC, evaluation, finished, rows_of, step_records
from tests.pages.conftest import shown

# Whole pages: part of `make test`, too long for `make check`.
pytestmark = pytest.mark.slow

PAGES = ("", "lesson", "your_data", "gallery", "studies", "runs")


def errors(page) -> str:
    return " ".join(shown(each) for each in page.at.error)


@pytest.fixture
def home_in_use(home):
    """Return a home that the server has yet to open, with a run in it; and the run."""
    lab().close()
    lab().store.close()
    lab.cache_clear()
    store = RunStore(home)
    run = store.create("a run", SPEC, ["a", "b"], queued=False)
    store.append(run, step_records(1, 20), [evaluation(20)])
    store.append(run, step_records(21, 40))
    store.end(run, finished(40))
    store.close()
    yield home, run
    shutil.rmtree(home, ignore_errors=True)


def be_no_database(path: Path) -> str:
    path.write_bytes(b"no database at all " * 1000)
    return "should be as it was written. Found it damaged"


def be_newer(path: Path) -> str:
    db = apsw.Connection(str(path))
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    db.close()
    return f"Found {SCHEMA_VERSION + 1}, written by a newer gradnorm. Update gradnorm"


@pytest.mark.parametrize("spoil", [be_no_database, be_newer])
def test_each_page_says_why_a_home_cannot_be_opened(spoil, home_in_use, tab):
    expected = spoil(home_in_use[0] / "gradnorm.db")
    for name in PAGES:
        page = tab(name)
        assert expected in errors(page)
        assert len(page.at.error) == 1


def test_each_page_says_that_the_home_was_deleted(home_in_use, tab):
    home, _ = home_in_use
    page = tab()
    gone = home.rename(home.with_name("gone"))  # at one stroke: the server may be writing into it
    shutil.rmtree(gone, ignore_errors=True)
    for name in PAGES:
        page.open(name or "playground")
        assert "Found" in errors(page)
        assert "deleted or replaced" in errors(page)
    assert not home.exists()


def test_a_read_only_home_is_watched_and_a_run_is_refused(home_in_use, tab, monkeypatch):
    home, run = home_in_use
    can = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: can(path, mode) and not str(path).startswith(str(home)))
    page = tab(run=run)
    assert "read-only" in errors(page)
    page.press("start")
    assert "To record runs, their home should be a directory that can be written" in errors(page)
    listed = tab("runs")
    assert "read-only" in shown(listed.at.warning[0])
    assert len(listed.at.dataframe[0].value) == 1


def test_the_steps_that_are_damaged_are_named(home_in_use, tab):
    home, run = home_in_use
    path, step = home / "gradnorm.db", rows_of(step_records(30, 30)).tobytes()[:12]
    path.write_bytes(path.read_bytes().replace(step, step[:-1] + bytes([step[-1] ^ 4])))
    page = tab(run=run)
    assert "records of steps 21–40" in " ".join(shown(each) for each in page.at.warning)
