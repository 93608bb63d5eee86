"""What a run trains on, as it is kept with it: an English text, and what this was filled from."""

from __future__ import annotations

import re
from string import Formatter

from gradnorm.common.texts import Text, later

AS_ONE = later("{device}, {count} runs as one program")
PROCESSES = later("{device}, {count} processes")


def device_text(device: str) -> str:
    """Return a stored device as a text that pages can translate.

    >>> device_text("cpu, 2 runs as one program").values
    {'device': 'cpu', 'count': '2'}
    """
    for template in (AS_ONE, PROCESSES):
        parts = [(re.escape(literal), name) for literal, name, _, _ in Formatter().parse(template)]
        found = re.fullmatch(
            "".join(f"{literal}(?P<{name}>.+)" if name else literal for literal, name in parts), device
        )
        if found:
            return Text(template, found.groupdict())
    return device
