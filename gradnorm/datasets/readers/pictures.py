"""Reads untrusted JPEG and PNG files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

# Larger pictures are not decoded: a small file can hold a huge picture.
MOST_PIXELS = 2**24
MOST_BYTES = 2**26


def read(file: Path, size: int, channels: int) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Return a JPEG or PNG picture resized to a square, [channels, size, size], uint8, and its own (width, height).

    file: the picture.  size: height and width to return, in pixels.  channels: 1 for grey, 3 for RGB.
    Raises ValueError if the file is no such picture, is cut off, or has more than `MOST_PIXELS`. The message does not
    name the file.
    """
    from PIL import Image

    if file.stat().st_size > MOST_BYTES:
        raise ValueError(f"a file of more than {MOST_BYTES >> 20} MiB")
    try:
        with Image.open(file, formats=("JPEG", "PNG")) as picture:
            return _resized(picture, size, channels), picture.size
    # Pillow has its own, higher limit.
    except (_TooLargeError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ValueError(f"a picture of more than {MOST_PIXELS:,} pixels") from None
    # Pillow's decoders raise many kinds of error for broken files: OSError, ValueError, SyntaxError, struct.error.
    except Exception as error:
        raise ValueError(f"no sound JPEG or PNG ({type(error).__name__})") from None


class _TooLargeError(Exception):
    pass


def _resized(picture: Image, size: int, channels: int) -> NDArray[np.uint8]:
    from PIL import Image

    # The size comes from the header. No pixel has been decoded yet.
    if picture.width * picture.height > MOST_PIXELS:
        raise _TooLargeError
    plain = picture.convert("L" if channels == 1 else "RGB")
    pixels = np.asarray(plain.resize((size, size), Image.Resampling.BILINEAR), dtype=np.uint8)
    return np.ascontiguousarray(pixels.reshape(size, size, channels).transpose(2, 0, 1))
