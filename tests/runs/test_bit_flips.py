"""Bits flipped in real homes: no wrong number is read, nothing is missing without a word, and `doctor` mends it."""

from __future__ import annotations

import io
import random
import shutil
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest

from gradnorm.export import tables
from gradnorm.runs.doctor import examine
from gradnorm.runs.faults import StoreError
from gradnorm.runs.ownership import TakenOverError
from gradnorm.runs.records import Checkpoint, Event
from gradnorm.runs.repair import repair
from gradnorm.runs.store import RunStore
from tests.factories import SPEC, evaluation, finished, step_records

STEPS, BLOCK = 240, 20


def make_home(home: Path) -> dict[str, tuple]:
    """Fill a home with three runs of many blocks; return what is to be read of each, as `told` gives it."""
    store = RunStore(home)
    for title in ("first", "second", "third"):
        run = store.create(title, SPEC, ["a", "b"], queued=False)
        store.append(run, [], [evaluation(0)])
        for first in range(1, STEPS, BLOCK):
            last = first + BLOCK - 1
            change = Event(first, "alpha", first / 8, float(first))
            store.append(run, step_records(first, last), [evaluation(last)], 0.5, [change])
        store.checkpoints.write(run, Checkpoint(STEPS, b"state" * 100))
        store.end(run, finished(STEPS))
    known = {info.run: told(store.read(info.run)) for info in store.runs()}
    store.close()
    return known


def told(snapshot) -> tuple:
    """Return what a snapshot says, in a form that can be compared."""
    rows = {int(row[0]): row.tobytes() for row in snapshot.rows}
    evaluations = {each.step: each for each in snapshot.evaluations}
    return snapshot.info, rows, evaluations, list(snapshot.events)


def flip(path: Path, bits: int, source: random.Random) -> None:
    """Flip bits of a file at random places."""
    content = bytearray(path.read_bytes())
    for place in source.sample(range(8 * len(content)), bits):
        content[place // 8] ^= 1 << place % 8
    path.write_bytes(content)


def judge(home: Path, known: dict[str, tuple]) -> str:
    """Read all of a damaged home; return "intact", "told" where what is missing is told, or what went wrong."""
    try:
        store = RunStore(home)
    except StoreError:
        return "told"
    except Exception as error:
        return f"raw {type(error).__name__} on opening"
    try:
        return _judge(store, known)
    finally:
        store.close()


def _judge(store: RunStore, known: dict[str, tuple]) -> str:
    verdict = "intact"
    try:
        listed = {info.run: info for info in store.runs()}
        if any(listed[run] != known[run][0] for run in listed.keys() & known.keys()) or listed.keys() - known.keys():
            return "wrong in the list"
        if listed.keys() != known.keys():
            if not store.damage():
                return "silently short list"
            verdict = "told"
    except StoreError:
        verdict = "told"
    except Exception as error:
        return f"raw {type(error).__name__} in the list"
    for run, truth in known.items():
        try:
            snapshot = store.read(run)
            tables.write(store, run, "csv", io.BytesIO())
        except StoreError:
            verdict = "told"
            continue
        except Exception as error:
            return f"raw {type(error).__name__} on reading"
        info, rows, evaluations, events = told(snapshot)
        right = info == truth[0] and rows.items() <= truth[1].items() and evaluations.items() <= truth[2].items()
        if not right or [event for event in events if event not in truth[3]]:
            return "wrong"
        if (rows, evaluations, events) != truth[1:]:
            if not snapshot.damage:
                return "silently short"
            verdict = "told"
    return verdict


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    """Return a home and what is to be read of its runs."""
    home = tmp_path_factory.mktemp("intact") / "home"
    return home, make_home(home)


def flipped(intact, tmp_path: Path, seed: int) -> tuple[Path, dict[str, tuple]]:
    """Return a copy of the home with one, two or forty bits of its database flipped."""
    home, known = intact
    damaged = tmp_path / "damaged"
    shutil.rmtree(damaged, ignore_errors=True)
    shutil.copytree(home, damaged)
    source = random.Random(seed)
    flip(damaged / "gradnorm.db", source.choice((1, 2, 40)), source)
    return damaged, known


def check(intact, tmp_path: Path, seeds: range) -> None:
    verdicts = {seed: judge(*flipped(intact, tmp_path, seed)) for seed in seeds}
    bad = {seed: verdict for seed, verdict in verdicts.items() if verdict not in ("intact", "told")}
    assert not bad, f"{len(bad)} of {len(verdicts)}: {bad}"


def test_what_is_read_of_25_damaged_homes_is_right_or_said_to_be_missing(intact, tmp_path):
    check(intact, tmp_path, range(25))


@pytest.mark.long
def test_what_is_read_of_300_damaged_homes_is_right_or_said_to_be_missing(intact, tmp_path):
    check(intact, tmp_path, range(100, 400))


def check_repair(intact, tmp_path: Path, seeds: range) -> None:
    mended = 0
    for seed in seeds:
        home, known = flipped(intact, tmp_path, seed)
        told = judge(home, known) == "told"
        findings = examine(home)
        assert findings or not told, f"doctor misses what is told of home {seed}"
        before = (home / "gradnorm.db").read_bytes()
        try:
            done = repair(home, findings)
        except StoreError:
            assert (home / "gradnorm.db").read_bytes() == before
            continue
        assert {finding.kind for finding in examine(home)} <= {"lost"}, seed
        if findings:
            assert before in [path.read_bytes() for path in home.glob("gradnorm.db.damaged-*")]
        assert_right(home, known, " ".join(done))
        mended += 1
    assert mended > 0.9 * len(seeds)


def assert_right(home: Path, known: dict[str, tuple], done: str) -> None:
    """Check that a repaired home holds nothing wrong, and says what it lacks."""
    store = RunStore(home)
    listed = {info.run: info for info in store.runs()}
    for run, truth in known.items():
        assert run in listed or run in done or "description was damaged" in done, done
        if run in listed and listed[run] == truth[0]:
            snapshot = store.read(run)
            _, rows, evaluations, events = told(snapshot)
            assert rows.items() <= truth[1].items()
            assert evaluations.items() <= truth[2].items()
            assert [event for event in events if event not in truth[3]] == []
            assert snapshot.damage or (rows, evaluations, events) == truth[1:]
    for info in listed.values():
        sound = info == known.get(info.run, [None])[0]
        assert sound or "was damaged" in info.outcome.message
        # Whose the run was may be what was damaged.
        with nullcontext() if sound else suppress(TakenOverError):
            store.append(info.run, step_records(info.steps + 1, info.steps + 2))
    store.close()


def test_25_damaged_homes_are_repaired(intact, tmp_path):
    check_repair(intact, tmp_path, range(25))


@pytest.mark.long
def test_300_damaged_homes_are_repaired(intact, tmp_path):
    check_repair(intact, tmp_path, range(100, 400))
