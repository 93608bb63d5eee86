"""Picture files of unknown origin, read with care."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

# A picture of more pixels is not decoded: a small file can hold a huge one.
MOST_PIXELS = 2**24
MOST_BYTES = 2**26


def read(file: Path, size: int, channels: int) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Return a JPEG or PNG picture resized to a square, and the (width, height) that it had.

    size: height and width of what is returned, uint8 of shape [channels, size, size].
    channels: 1 for grey, 3 for RGB.
    Raises ValueError, which names no file, for what is no such picture, is cut off, or has more than `MOST_PIXELS`.
    """
    from PIL import Image

    if file.stat().st_size > MOST_BYTES:
        raise ValueError(f"a file of more than {MOST_BYTES >> 20} MiB")
    try:
        with Image.open(file, formats=("JPEG", "PNG")) as picture:
            return _resized(picture, size, channels), picture.size
    # Pillow has a limit of its own, which is higher, for what it opens.
    except (_TooLargeError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ValueError(f"a picture of more than {MOST_PIXELS:,} pixels") from None
    # What Pillow's decoders raise on broken files is no closed list: OSError, ValueError, SyntaxError, struct.error.
    except Exception as error:
        raise ValueError(f"no sound JPEG or PNG ({type(error).__name__})") from None


class _TooLargeError(Exception):
    pass


def _resized(picture: Image, size: int, channels: int) -> NDArray[np.uint8]:
    from PIL import Image

    # The size comes from the header; nothing has been decoded yet.
    if picture.width * picture.height > MOST_PIXELS:
        raise _TooLargeError
    plain = picture.convert("L" if channels == 1 else "RGB")
    pixels = np.asarray(plain.resize((size, size), Image.Resampling.BILINEAR), dtype=np.uint8)
    return np.ascontiguousarray(pixels.reshape(size, size, channels).transpose(2, 0, 1))
