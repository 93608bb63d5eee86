"""What to cite: the BibTeX of the methods that runs used."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gradnorm.config.spec import methods


def bibtex(used: Sequence[str]) -> str:
    """Return the entries of methods, each once, a field a line. used: names of methods; unknown ones are left out."""
    known = methods()
    entries = dict.fromkeys(known[name].citation for name in used if name in known)
    return "\n\n".join(_pretty(entry) for entry in entries)


def _pretty(entry: str) -> str:
    head, _, rest = entry.partition(", ")
    fields = re.findall(r"\w+=\{(?:[^{}]|\{[^{}]*\})*\}", rest)
    return head + ",\n" + ",\n".join(f"  {field}" for field in fields) + "\n}"
