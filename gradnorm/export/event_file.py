"""TensorBoard's event file: scalars of many steps as bytes at once.

An event is a protobuf message in the frame of a TFRecord. Events with the same tags differ in a few bytes only, so they
are copies of one template.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradnorm.export.crc32c import Bytes, Checksums, checksums

# Keys of protobuf fields: the field's number · 8 + its wire type.
_WALL_TIME, _STEP, _FILE_VERSION, _SUMMARY = b"\x09", b"\x10", b"\x1a", b"\x2a"
_VALUE, _TAG, _SIMPLE_VALUE = b"\x0a", b"\x0a", b"\x15"
_FRAME = 12  # bytes before a message: its length and the checksum of that


def head(when: float) -> bytes:
    """Return the first event of a file, which says how it is written. when: seconds since 1970."""
    version = b"brain.Event:2"
    message = _WALL_TIME + struct.pack("<d", when) + _FILE_VERSION + _varint(len(version)) + version
    return _framed(np.frombuffer(message, np.uint8)[None], np.array([], np.intp)).tobytes()


def events(
    steps: NDArray[np.int64], when: NDArray[np.float64], tags: Sequence[str], values: NDArray[np.float32]
) -> bytes:
    """Return an event a step, in their order. Values that are not finite are left out.

    steps: shape [n], from 0.  when: seconds since 1970, shape [n].  values: of each tag, shape [n, tags].
    """
    there = np.isfinite(values)
    sizes = np.array([len(_varint(step)) for step in steps.tolist()], np.uint8)
    made: list[bytes] = [b""] * len(steps)
    for rows in _alike(np.column_stack([sizes, np.packbits(there, axis=1)])):
        named = there[rows[0]]
        layout = _Layout.of(int(sizes[rows[0]]), [tag for tag, known in zip(tags, named, strict=True) if known])
        for row, event in zip(rows.tolist(), layout.fill(steps[rows], when[rows], values[rows][:, named]), strict=True):
            made[row] = event.tobytes()
    return b"".join(made)


def _alike(keys: NDArray[np.uint8]) -> Iterator[NDArray[np.intp]]:
    """Yield the positions of equal rows, a group at a time."""
    _, group = np.unique(keys, axis=0, return_inverse=True)
    order = np.argsort(group, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(group[order])) + 1) if len(order) else ()


@dataclass(frozen=True)
class _Layout:
    """A message whose numbers are zero, and where their bytes go."""

    template: Bytes
    when: NDArray[np.intp]
    step: NDArray[np.intp]
    values: NDArray[np.intp]

    @classmethod
    def of(cls, step_size: int, tags: Sequence[str]) -> _Layout:
        """Return the layout for events with these tags. step_size: bytes of the step's number."""
        summary, ends = bytearray(), list[int]()
        for tag in tags:
            name = tag.encode()
            value = _TAG + _varint(len(name)) + name + _SIMPLE_VALUE + bytes(4)
            summary += _VALUE + _varint(len(value)) + value
            ends.append(len(summary))
        start = _WALL_TIME + bytes(8) + _STEP + bytes(step_size) + _SUMMARY + _varint(len(summary))
        floats = (len(start) + np.array(ends, np.intp)[:, None] + np.arange(-4, 0)).ravel()
        template = np.frombuffer(start + summary, np.uint8)
        return cls(template, np.arange(1, 9), np.arange(10, 10 + step_size), floats)

    def fill(self, steps: NDArray[np.int64], when: NDArray[np.float64], values: NDArray[np.float32]) -> Bytes:
        """Return framed events, one a row. values: of the layout's tags, shape [n, tags]."""
        messages = np.tile(self.template, (len(steps), 1))
        messages[:, self.when] = _bytes(when.astype("<f8"))
        messages[:, self.step] = _varints(steps, len(self.step))
        messages[:, self.values] = _bytes(values.astype("<f4"))
        return _framed(messages, np.concatenate([self.when, self.step, self.values]))


def _framed(messages: Bytes, changing: NDArray[np.intp]) -> Bytes:
    """Return messages of one length as TFRecords: length, its checksum, message, its checksum."""
    length = np.frombuffer(struct.pack("<Q", messages.shape[1]), np.uint8)[None]
    before = np.concatenate([length, _bytes(_masked(checksums(length, np.array([], np.intp))))], axis=1)
    after = _bytes(_masked(checksums(messages, changing)))
    return np.concatenate([np.repeat(before, len(messages), axis=0), messages, after], axis=1)


def _masked(crc: Checksums) -> NDArray[np.uint32]:
    """Return a checksum as TFRecords hold it, so that one of data with checksums in them stays a good one."""
    return ((crc >> np.uint32(15)) | (crc << np.uint32(17))) + np.uint32(0xA282EAD8)


def _bytes(numbers: NDArray[np.generic]) -> Bytes:
    """Return the bytes of little-endian numbers of shape [n] or [n, k], a row each."""
    return np.ascontiguousarray(numbers).reshape(len(numbers), -1).view(np.uint8)


def _varints(numbers: NDArray[np.int64], size: int) -> Bytes:
    """Return numbers that take `size` bytes as varints: seven bits a byte, the lowest first, the top bit for more."""
    sevens = (numbers[:, None] >> (7 * np.arange(size))) & 0x7F
    sevens[:, :-1] |= 0x80
    return sevens.astype(np.uint8)


def _varint(number: int) -> bytes:
    size = max(1, -(-number.bit_length() // 7))
    return _varints(np.array([number], np.int64), size).tobytes()
