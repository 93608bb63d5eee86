"""Events as bytes: TensorBoard's message and checksums, for steps and tags of any size."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboardX.crc32c import crc32c
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.record_writer import masked_crc32c

from gradnorm.export.crc32c import checksums
from gradnorm.export.event_file import events, head


def read(data):
    """Return the events of a file, whose checksums are looked at as TensorBoard does."""
    found, at = [], 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        message = data[at + 12 : at + 12 + length]
        for part, end in ((data[at : at + 8], at + 8), (message, at + 12 + length)):
            assert struct.unpack_from("<I", data, end) == (masked_crc32c(part),)
        found.append(Event.FromString(message))
        at += 12 + length + 4
    return found


@given(st.integers(4, 300), st.integers(1, 5), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_a_checksum_is_that_of_each_message(length, count, seed, share):
    random = np.random.default_rng(seed)
    messages = np.repeat(random.integers(0, 256, (1, length), np.uint8), count, axis=0)
    changing = np.flatnonzero(random.random(length) < share)
    messages[:, changing] = random.integers(0, 256, (count, len(changing)), np.uint8)
    assert checksums(messages, changing).tolist() == [crc32c(row.tobytes()) for row in messages]


def test_a_checksum_is_the_standard_s():
    # RFC 3720, B.4: 32 bytes of zeros.
    assert checksums(np.zeros((1, 32), np.uint8), np.array([], np.intp)).tolist() == [0x8A9136AA]


def test_the_first_event_says_how_the_file_is_written():
    (event,) = read(head(1.5))
    assert (event.wall_time, event.file_version) == (1.5, "brain.Event:2")


@pytest.mark.parametrize("first", [0, 100, 16_380, 2_097_150, 2**31 - 2, 2**40])
def test_steps_of_any_size_come_back(first):
    steps = np.arange(first, first + 6)
    values = np.arange(12, dtype=np.float32).reshape(6, 2)
    found = read(events(steps, steps / 8, ["α/a task", "b"], values))
    assert [event.step for event in found] == steps.tolist()
    assert [event.wall_time for event in found] == (steps / 8).tolist()
    told = [[(value.tag, value.simple_value) for value in event.summary.value] for event in found]
    assert told == [[("α/a task", row[0]), ("b", row[1])] for row in values.tolist()]


@given(st.integers(1, 40), st.integers(0, 20), st.integers(0, 2**32 - 1))
def test_what_is_not_finite_is_left_out(count, width, seed):
    random = np.random.default_rng(seed)
    values = random.normal(size=(count, width)).astype(np.float32)
    values[random.random(values.shape) < 0.3] = random.choice([np.nan, np.inf, -np.inf])
    tags = [f"tag {'x' * (9 * i)}" for i in range(width)]
    found = read(events(np.arange(count), np.zeros(count), tags, values))
    assert [event.step for event in found] == list(range(count))
    for event, row in zip(found, values.tolist(), strict=True):
        kept = [(tag, value) for tag, value in zip(tags, row, strict=True) if np.isfinite(value)]
        assert [(value.tag, value.simple_value) for value in event.summary.value] == kept


def test_no_steps_are_no_bytes():
    assert events(np.array([], np.int64), np.array([]), [], np.empty((0, 0), np.float32)) == b""
