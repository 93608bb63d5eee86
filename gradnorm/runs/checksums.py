"""Checksums of stored rows, by which a row that is not as it was written is told from one that is."""

from __future__ import annotations

from zlib import crc32


def checksum(*values: float | str | bytes | None) -> bytes:
    """Return the CRC-32 of values as SQLite gives them back; a text and its UTF-8 are the same.

    It is a blob: no single bit of a row's header turns a blob of four bytes into NULL, as it would an integer.
    """
    crc = 0
    for value in values:
        text = isinstance(value, str | bytes)
        body = value if isinstance(value, bytes) else (value if isinstance(value, str) else repr(value)).encode()
        crc = crc32(body, crc32(b"%d%d " % (text, len(body)), crc))
    return crc.to_bytes(4, "big")


# The last columns of a run's row, as they are until somebody gives it labels.
_UNLABELLED = (b"", b"", b"[]", 0, None)


def run_checksum(*values: float | str | bytes | None) -> bytes:
    """Return the checksum of a row of runs. Labels count once there are any: rows of before there were keep theirs.

    values: name, notes, tags, pinned and trashed are the last five.
    """
    labels = values[-len(_UNLABELLED) :]
    plain = tuple([value.encode() if isinstance(value, str) else value for value in labels])
    return checksum(*(values[: -len(_UNLABELLED)] if plain == _UNLABELLED else values))
