"""Readers in a process of their own: each limit ends in a sentence, and one file holds up no other."""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from gradnorm.datasets.readers import apart
from gradnorm.datasets.readers.apart import AT_ONCE, BusyError, Limits, turn
from gradnorm.datasets.readers.folders import DataError
from gradnorm.datasets.readers.table_reader import read_table
from tests.datasets.readers import odd_readers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="other systems know fewer limits"),
]
TIGHT = Limits(memory=2**28, answer=2**22, seconds=1, patience=60, files=32)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,x\n2,y\n" * 20)
    return path


def run(reader, file, *arguments, limits=TIGHT):
    with turn(file, limits) as run:
        return run(reader, *arguments)


@pytest.mark.parametrize(
    ("reader", "words"),
    [
        ("forever", "t.csv should be read in 1 seconds of a processor. Found that it takes more."),
        ("hungry", "t.csv should take at most 256 MB of memory to read. Found that it takes more."),
        ("endless", "t.csv should take at most 256 MB of memory to read. Found that it takes more."),
        ("opening", "t.csv should be a file by itself. Found that reading it opens more than 32 others."),
        ("writing", "t.csv should be readable. Found: File too large."),
        ("crashing", "Found one that ends its reader."),
        ("failing", "Found one that ends its reader."),
    ],
)
def test_each_limit_ends_in_a_sentence(file, reader, words, caplog):
    with pytest.raises(DataError) as caught:
        run(getattr(odd_readers, reader), file)
    assert words in str(caught.value)
    assert not isinstance(caught.value, BusyError)
    assert "secret" not in str(caught.value)
    # Whoever runs the server finds out what happened.
    assert ("secret of the code" in caplog.text) == (reader == "failing")


@pytest.mark.parametrize(
    ("reader", "words"), [("asleep", "should be read in 1 seconds. Found that the machine"), ("killed", "ended it")]
)
def test_what_is_no_fault_of_the_file_may_pass(file, reader, words):
    with pytest.raises(BusyError, match=words):
        run(getattr(odd_readers, reader), file, limits=Limits(patience=1))


def test_a_missing_package_is_missed_as_in_this_process(file):
    with pytest.raises(ModuleNotFoundError) as caught:
        run(odd_readers.lacking, file)
    assert caught.value.name == "pandas.core"


def test_what_a_library_prints_is_not_in_the_answer(file, capfd):
    assert run(odd_readers.talking, file) == b"answer"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "reader", ["gradnorm.datasets.readers.table_file", "gradnorm.datasets.by_path.sarcos", "scipy.io", "pandas"]
)
def test_a_reader_loads_neither_torch_nor_streamlit(file, reader):
    found = json.loads(run(odd_readers.modules, file, reader, limits=Limits()))
    assert reader in found
    assert not {"torch", "streamlit"} & set(found)


def test_a_server_that_has_no_files_left_says_so(file):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(BusyError, match="Found that none can be started: Too many open files"):
            read_table(file)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert read_table(file).rows == 40


def test_only_two_files_are_read_at_once(file):
    with ThreadPoolExecutor(6) as threads:
        spans = [json.loads(answer) for answer in threads.map(lambda _: run(odd_readers.slow, file), range(6))]
    for began, _ in spans:
        assert sum(other <= began < ended for other, ended in spans) <= AT_ONCE


def test_a_file_that_takes_long_holds_up_no_other(file):
    def odd():
        with pytest.raises(DataError, match="should be read in 5 seconds"):
            run(odd_readers.forever, file, limits=Limits(seconds=5))

    long = threading.Thread(target=odd)
    long.start()
    time.sleep(0.2)
    assert read_table(file).rows == 40
    assert long.is_alive()
    long.join()


def test_who_waits_too_long_for_a_turn_is_told(file, monkeypatch):
    monkeypatch.setattr(apart, "_QUEUE", 0.1)
    with turn(file), turn(file), pytest.raises(BusyError, match="as soon as other files have been"), turn(file):
        pass


def test_a_fault_is_found_once_until_the_file_changes(file, monkeypatch):
    good = file.read_text()
    file.write_text("a,b\n")
    with pytest.raises(DataError) as first:
        read_table(file)
    with monkeypatch.context() as patch:
        patch.setattr(apart, "_turns", None)  # to read it again would need a turn
        with pytest.raises(DataError) as second:
            read_table(file)
    assert str(first.value) == str(second.value)
    file.write_text(good)
    assert read_table(file).rows == 40
