"""Checkpoint files: whole or not at all, checked when read, thinned with age."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradnorm.runs.checkpoint_files import MOST_KEPT, CheckpointError, Checkpoints
from gradnorm.runs.records import Checkpoint


@pytest.fixture
def files(tmp_path):
    return Checkpoints(tmp_path / "checkpoints")


def test_what_is_written_is_read(files):
    files.write("a", Checkpoint(20, b"twenty\nlines"))
    files.write("a", Checkpoint(40, b""))
    assert files.steps("a") == [20, 40]
    assert files.read("a", 20) == Checkpoint(20, b"twenty\nlines")
    assert files.latest("a", 100) == (Checkpoint(40, b""), [])
    assert files.latest("a", 39)[0].step == 20
    assert files.latest("a", 19) == (None, [])
    assert files.steps("b") == []


@pytest.mark.parametrize("place", range(0, 120, 7))
def test_a_flipped_bit_is_refused_and_the_checkpoint_before_is_used(files, tmp_path, place):
    files.write("a", Checkpoint(20, b"good" * 20))
    files.write("a", Checkpoint(40, b"bad?" * 20))
    path = tmp_path / "checkpoints" / "a" / "0000000040.ckpt"
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << place % 8
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"0000000040\.ckpt should have the SHA-256"):
        files.read("a", 40)
    found, faults = files.latest("a", 100)
    assert found == Checkpoint(20, b"good" * 20)
    assert len(faults) == 1


def test_a_file_cut_short_is_refused(files, tmp_path):
    files.write("a", Checkpoint(20, b"good" * 20))
    path = tmp_path / "checkpoints" / "a" / "0000000020.ckpt"
    for length in (0, 10, len(path.read_bytes()) - 1):
        path.write_bytes(path.read_bytes()[:length])
        with pytest.raises(CheckpointError):
            files.read("a", 20)


def test_a_half_written_file_is_no_checkpoint(files, tmp_path):
    files.write("a", Checkpoint(20, b"good"))
    (tmp_path / "checkpoints" / "a" / "0000000040.tmp").write_bytes(b"half")
    assert files.steps("a") == [20]
    files.write("a", Checkpoint(40, b"whole"))
    assert files.read("a", 40).payload == b"whole"


def test_a_missing_step_names_those_that_are_there(files):
    files.write("a", Checkpoint(20, b"good"))
    with pytest.raises(CheckpointError, match=r"one with a checkpoint \(20\). Found 30"):
        files.read("a", 30)


def test_a_copy_outlives_the_original(files):
    files.write("a", Checkpoint(20, b"good"))
    files.copy("a", 20, "b")
    files.delete("a")
    assert (files.steps("a"), files.read("b", 20).payload) == ([], b"good")
    files.delete("a")


@settings(max_examples=20, deadline=None)
@given(every=st.sampled_from([1, 10, 200]), count=st.integers(1, 150), odd=st.integers(0, 150))
def test_old_checkpoints_are_thinned_and_the_newest_two_kept(tmp_path_factory, every, count, odd):
    files = Checkpoints(tmp_path_factory.mktemp("checkpoints"))
    written = []
    for k in range(1, count + 1):
        written.append(k * every)
        files.write("a", Checkpoint(k * every, b"x"))
        if k == odd and every > 1:  # as a stop or a new α between two that are due
            written.append(k * every + 1)
            files.write("a", Checkpoint(k * every + 1, b"x"))
    kept = files.steps("a")
    assert kept[-2:] == written[-2:]
    assert kept[0] == every
    assert len(kept) <= MOST_KEPT + 3
    assert count > MOST_KEPT or set(range(every, count * every + 1, every)) <= set(kept)
