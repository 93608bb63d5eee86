"""CRC-32C of many messages of one length at once: the checksum of TensorBoard's event files.

The checksum is linear over GF(2). So it is that of a message whose changing bytes are zero, combined by exclusive or
with what each changing byte adds, which depends on the byte and on how many bytes follow it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Checksums = NDArray[np.uint32]

# The polynomial 0x1EDC6F41, lowest bit first.
_POLYNOMIAL = np.uint32(0x82F63B78)


def checksums(messages: Bytes, changing: NDArray[np.intp]) -> Checksums:
    """Return the CRC-32C of each row of `messages`, shape [n, length], n ≥ 1 and length ≥ 4.

    changing: the positions at which rows may differ; at all others they are as the first row.
    """
    length = messages.shape[1]
    added = _added(1 << (length - 1).bit_length())
    same = messages[0].copy()
    same[changing] = 0
    after = np.arange(length)[::-1]
    # To start from all ones is to invert the first four bytes.
    start = np.bitwise_xor.reduce(added[after[:4], 0xFF])
    fixed = start ^ np.bitwise_xor.reduce(added[after, same])
    moving = np.bitwise_xor.reduce(added[after[changing], messages[:, changing]], axis=1)
    return ~(fixed ^ moving)


@lru_cache(maxsize=2)
def _added(lengths: int) -> Checksums:
    """Return what a byte adds by the number of bytes that follow it and by its value, shape [lengths, 256]."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ _POLYNOMIAL, table >> 1)
    added = np.empty((lengths, 256), np.uint32)
    added[0] = table
    for after in range(1, lengths):
        added[after] = (added[after - 1] >> 8) ^ table[added[after - 1] & 0xFF]
    return added
