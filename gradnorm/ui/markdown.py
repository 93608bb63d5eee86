"""Texts of visitors and of files on a page whose words are Markdown."""

from __future__ import annotations

import re


def plain(text: str) -> str:
    r"""Return a text that Markdown shows as it is.

    Names of columns, paths and values from an address may hold anything, a picture from elsewhere or a link included.

    >>> print(plain("![x](https://example.org/x.png)"))
    \!\[x\]\(https\://example.org/x.png\)
    """
    return re.sub(r"([\\`*_{}\[\]()#+!|$~<>:-])", r"\\\1", text)
