"""Reads the text of a CSV file, plain or compressed with gzip, in UTF-8 or UTF-16, and finds its layout."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from gradnorm.datasets.readers.folders import DataError
from gradnorm.datasets.readers.limits import MOST_BYTES, MOST_CELLS, MOST_COLUMNS, too_many_cells, too_many_columns

# The first line must end within _HEAD bytes. Unpacked text may be at most _RATIO times as long as its file.
_HEAD = 2**20
_RATIO = 100
_CHUNK = 2**22
# What no text has in any of its encodings.
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")
_DELIMITERS = ",;\t|"
_SAMPLE = 50


@dataclass(frozen=True)
class CsvText:
    """The text of a table, with its layout.

    content: UTF-8 without a byte order mark, header included.
    header: the column names, without spaces around them.
    delimiter: the character between cells, one of , ; | or a tab.
    decimal: the decimal mark, "." or ",".
    """

    content: bytearray
    header: tuple[str, ...]
    delimiter: str
    decimal: str


def read_text(path: Path) -> CsvText:
    """Return the text of a CSV file and its layout.

    path: a file of at most `MOST_BYTES` after unpacking.
    Raises DataError if the file is binary, empty, too large, in another encoding, or has fewer than two columns or more
    than `MOST_COLUMNS`. The header is checked before the rest is read, so a file of a million columns costs nothing.
    """
    try:
        with path.open("rb") as raw:
            magic = raw.read(4)
            raw.seek(0)
            _refuse_binary(path, magic)
            plain = gzip.GzipFile(fileobj=raw) if magic[:2] == b"\x1f\x8b" else raw
            return _parse(path, _decode_utf8(path, _chunks(path, plain)))
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise DataError(f"{path.name} should be a whole gzip file. Found a broken one. Compress it again.") from None


def _refuse_binary(path: Path, magic: bytes) -> None:
    known = {
        b"PK\x03\x04": "an Excel workbook or a zip archive",
        b"PAR1": "a Parquet file",
        b"%PDF": "a PDF",
        b"\x89PNG": "a PNG picture",
        b"\xff\xd8\xff\xe0": "a JPEG picture",
        b"\xff\xd8\xff\xe1": "a JPEG picture",
        b"GIF8": "a GIF picture",
        b"\xd0\xcf\x11\xe0": "an old Excel workbook",
        b"SQLi": "an SQLite database",
        b"\x89HDF": "an HDF5 file",
    }
    if magic in known:
        raise DataError(f"{path.name} should be a text file. Found {known[magic]}. Save the table as CSV (UTF-8).")


def _chunks(path: Path, file: BinaryIO | gzip.GzipFile) -> Iterator[bytes]:
    """Yield the file's bytes. Raises DataError as soon as they are too many, so that no archive fills the memory."""
    on_disk, total = path.stat().st_size, 0
    if on_disk > MOST_BYTES:
        raise _too_large(path)
    size = _HEAD
    while chunk := file.read(size):
        total, size = total + len(chunk), _CHUNK
        if total > max(16 * 2**20, _RATIO * on_disk):
            raise DataError(
                f"{path.name} should grow at most {_RATIO} times when it is unpacked. Found more. Give it unpacked."
            )
        if total > MOST_BYTES:
            raise _too_large(path)
        yield chunk


def _too_large(path: Path) -> DataError:
    size = MOST_BYTES // 2**20
    return DataError(f"{path.name} should have at most {size} MB of text. Found more. Keep fewer rows or columns.")


def _decode_utf8(path: Path, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield text as UTF-8 from bytes in UTF-8 or UTF-16. Raises DataError for another encoding."""
    first = next(chunks, b"")
    wide = first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    decoder = codecs.getincrementaldecoder("utf-16" if wide else "utf-8-sig")()
    place = 0
    for chunk in chain([first], chunks, [b""]):
        try:
            text = decoder.decode(chunk, not chunk)
        except UnicodeDecodeError as error:
            place += error.start
            like = "a broken UTF-16" if wide else "Windows-1252 or Latin-1"
            if not wide and _CONTROL.search(chunk):
                like = "a picture, a program or another binary file"
            raise DataError(
                f"{path.name} should be text in UTF-8. Found byte 0x{error.object[error.start]:02x} near place "
                f"{place:,}, as in {like}. Save the table as CSV (UTF-8)."
            ) from None
        if "\0" in text:
            raise DataError(
                f"{path.name} should be text in UTF-8. Found null characters, as in a binary file or in UTF-16 "
                "without its mark. Save the table as CSV (UTF-8)."
            )
        place += len(chunk)
        yield text.encode()


def _parse(path: Path, pieces: Iterator[bytes]) -> CsvText:
    content = bytearray()
    for piece in pieces:
        content += piece
        if len(content) >= _HEAD // 2:
            break
    if not content.strip():
        raise DataError(f"{path.name} should be a table. Found an empty file. Give one with a header and rows.")
    delimiter, rows = _delimiter_and_rows(path, bytes(content))
    lines = content.count(b"\n")
    for piece in pieces:
        content += piece
        lines += piece.count(b"\n")
        if lines * len(rows[0]) > 2 * MOST_CELLS:  # blank lines and line breaks within cells are no rows
            raise too_many_cells(path)
    return CsvText(content, tuple(name.strip() for name in rows[0]), delimiter, _decimal_mark(rows, delimiter))


def _delimiter_and_rows(path: Path, head: bytes) -> tuple[str, list[list[str]]]:
    """Return the delimiter and the first rows.

    The delimiter is the one for which most rows have as many cells as the header; of equals, the one with most cells.
    """
    whole = len(head) < _HEAD // 2
    if not whole and b"\n" not in head and b"\r" not in head:
        raise too_many_columns(path, "a first line of more than 500,000 characters")
    rows_by_delimiter = {delimiter: _first_rows(head, delimiter, whole) for delimiter in _DELIMITERS}

    def agreement(delimiter: str) -> tuple[float, int]:
        rows = rows_by_delimiter[delimiter]
        width = len(rows[0]) if rows else 0
        return (sum(len(row) == width for row in rows) / len(rows), width) if width > 1 else (0.0, width)

    best = max(_DELIMITERS, key=agreement)
    rows = rows_by_delimiter[best]
    if not rows:
        raise DataError(f"{path.name} should begin with column names. Found a cell without an end. Check its quotes.")
    if len(rows[0]) > MOST_COLUMNS:
        raise too_many_columns(path, f"{len(rows[0]):,}")
    if len(rows[0]) < 2:
        raise DataError(
            f"{path.name} should have two columns or more, with , ; | or tabs between. Found one: "
            f"{rows[0][0][:40]!r}. Give inputs and targets as columns."
        )
    return best, rows


def _first_rows(head: bytes, delimiter: str, whole: bool) -> list[list[str]]:
    """Return the first rows as one delimiter cuts them. Leaves out a last row that the end of `head` may have cut."""
    lines = head[: 2**16] if head.count(b"\n", 0, 2**16) > 1 else head
    whole = whole and len(lines) == len(head)
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(lines.decode(errors="ignore"), newline=""), delimiter=delimiter):
            if row:
                rows.append(row)
            if len(rows) > _SAMPLE:
                break
    except csv.Error:  # a cell longer than the reader takes
        whole = False
    return rows if whole or len(rows) < 3 else rows[:-1]


def _decimal_mark(rows: Sequence[Sequence[str]], delimiter: str) -> str:
    """Return the decimal mark: a comma if it is not the delimiter and more numbers have a comma than a point."""
    cells = [cell.strip().lstrip("+-") for row in rows[1:] for cell in row]

    def having(mark: str) -> int:
        return sum(cell.count(mark) == 1 and cell.replace(mark, "").isdecimal() for cell in cells)

    return "," if delimiter != "," and having(",") > having(".") else "."


def is_number(text: str) -> bool:
    """Return whether a cell holds a number, with a point as decimal mark; "nan" and "inf" count."""
    try:
        float(text)
    except ValueError:
        return False
    return True
