"""Understands texts as numbers or dates in their usual spellings: 1,234.5  $ 5  7 %  5 kg  31.12.2020."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

# How people write that there is no value, beside what is read as missing everywhere.
MARKS = frozenset({"-", "--", "–", "—", "?", ".", "..", "...", "n.a.", "n.a", "na", "none", "unknown", "missing"})
# A last row that begins so adds up the rows above.
TOTALS = frozenset({"total", "totals", "grand total", "sum", "summe", "gesamt", "insgesamt", "all"})
# With more different texts than these a column stays as it is.
MOST_WORDS = 1_000_000
# So many texts tell whether the others are worth a look.
_SAMPLE = 200
# One text among fewer numbers than these may be one of several kinds.
_TELLING = 20

_NUMBER = re.compile(
    r"(?P<open>\()?(?P<sign>[-+−]?)\s*(?P<before>[$€£¥]|USD|EUR|GBP|CHF)?\s*(?P<late>[-+−]?)"
    r"(?P<body>(?:\d[\d.,'’\s]*)?\d|[.,]\d+)(?P<exponent>[eE][-+]?\d+)?"
    r"\s*(?P<after>[%‰$€£¥]|°[CF]?|[^\W\d_]+(?:/[^\W\d_]+)?[²³]?)?(?(open)\))"
)
# The decimal mark, with what may stand between thousands.
_MARKS_OF_NUMBERS = {".": r"[,'’\s]", ",": r"[.'’\s]"}
_DATES = {
    "%Y-%m-%d": "year-month-day",
    "%d.%m.%Y": "day.month.year",
    "%d.%m.%y": "day.month.year",
    "%m/%d/%Y": "month/day/year",
    "%d/%m/%Y": "day/month/year",
    "%m/%d/%y": "month/day/year",
    "%d/%m/%y": "day/month/year",
    "%Y/%m/%d": "year/month/day",
    "%d-%m-%Y": "day-month-year",
    "%d %b %Y": "day month year",
    "%d %B %Y": "day month year",
    "%b %d, %Y": "month day, year",
    "%B %d, %Y": "month day, year",
}
_TIMES = ("", " %H:%M", " %H:%M:%S")


@dataclass(frozen=True, eq=False)
class Understood:
    """The texts of a column, read as numbers or as dates.

    values: one for each text; NaN for a mark that says that there is no value; dates in days since 1970.
    how: what was done, as in "numbers, without $".
    """

    kind: Literal["number", "date"]
    values: NDArray[np.float64]
    how: str


def understand(words: Sequence[str], decimal: str = ".") -> Understood | None:
    """Return the numbers or dates that different texts stand for; None if any of them is neither.

    decimal: the decimal mark that is tried first, "." or ",".
    """
    texts = [word.strip() for word in words]
    present = [text for text in texts if text and text.lower() not in MARKS]
    if not present:
        return None
    found = _numbers(present, decimal) or _dates(present)
    if found is None:
        return None
    if len(present) == len(texts):
        return found
    missing = sorted({text for text in texts if text and text.lower() in MARKS})
    values = iter(found.values)
    filled = [next(values) if text and text.lower() not in MARKS else np.nan for text in texts]
    nothing = f"; {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} read as missing" if missing else ""
    return Understood(found.kind, np.array(filled), f"{found.how}{nothing}")


def odd_one(words: Sequence[str]) -> int | None:
    """Return the place of the one text that keeps a column from being numbers; None if there are none or several."""
    found: int | None = None
    for i, word in enumerate(words):
        text = word.strip()
        if text.lower() not in MARKS and not _NUMBER.fullmatch(text):
            if found is not None:
                return None
            found = i
    return found if len(words) >= _TELLING else None


def names_things(name: str) -> bool:
    """Return whether a column's name says that its numbers are names: ids, postcodes, phone numbers."""
    parts = re.findall(r"[a-z]+|[A-Z]+(?![a-z])|[A-Z][a-z]+", name)
    ends = {part.lower() for part in (*parts[:1], *parts[-1:])}
    return bool(ends & {"id", "ids", "zip", "zipcode", "plz", "postcode", "postal", "code", "isbn", "phone", "iban"})


def _numbers(texts: Sequence[str], decimal: str) -> Understood | None:
    sample = texts[:_SAMPLE]
    if sum(_NUMBER.fullmatch(text) is not None for text in sample) < len(sample):
        return None
    found = [_NUMBER.fullmatch(text) for text in texts]
    matches = [match for match in found if match is not None]
    if len(matches) < len(texts):
        return None
    bodies = [match["body"] for match in matches]
    # 007 is a name, not seven.
    if any(len(body) > 1 and body.isdecimal() and body[0] == "0" for body in bodies):
        return None
    units = [{match[side] for match in matches} - {None} for side in ("before", "after")]
    if any(len(known) > 1 for known in units):
        return None
    for mark in sorted(_MARKS_OF_NUMBERS, key=lambda each: each != decimal):
        between = _MARKS_OF_NUMBERS[mark]
        point = re.escape(mark)
        shape = re.compile(rf"\d{{1,3}}(?:{between}\d{{3}})+(?:{point}\d+)?|\d+(?:{point}\d+)?|{point}\d+")
        if all(shape.fullmatch(body) for body in bodies):
            values = [_value(match, mark, between) for match in matches]
            return Understood("number", np.array(values), _how(units, bodies, mark))
    return None


def _value(match: re.Match[str], mark: str, between: str) -> float:
    body = re.sub(between, "", match["body"]).replace(mark, ".")
    negative = bool(match["open"]) != ("-" in (match["sign"] + match["late"]).replace("−", "-"))
    return (-1 if negative else 1) * float(body + (match["exponent"] or ""))


def _how(units: Sequence[set[str]], bodies: Sequence[str], mark: str) -> str:
    signs = sorted(units[0] | units[1])
    if any(not part.isdecimal() and part not in (mark, "") for body in bodies for part in re.split(r"\d", body)):
        signs.append("marks between thousands")
    comma = ", with a decimal comma" if mark == "," and any("," in body for body in bodies) else ""
    return f"numbers{comma}{', without ' + ' and '.join(signs) if signs else ''}"


def _dates(texts: Sequence[str]) -> Understood | None:
    # Most texts are no dates, and the first one tells: a date has digits, and two marks or spaces. Without this, most
    # tables would wait for pandas to load.
    if not re.search(r"\d", texts[0]) or len(re.findall(r"[-./\s]", texts[0])) < 2:
        return None
    import pandas as pd

    sample, words = pd.Series(texts[:_SAMPLE]), pd.Series(texts)
    fitting: list[tuple[str, pd.Series]] = []
    for form, name in _DATES.items():
        for time in _TIMES:
            if pd.to_datetime(sample, format=form + time, errors="coerce").notna().all():
                days = pd.to_datetime(words, format=form + time, errors="coerce")
                if days.notna().all():
                    fitting.append((name, days))
    if not fitting:
        return None
    how, days = fitting[0]
    other = f"; {fitting[1][0]} would fit, too" if len(fitting) > 1 and fitting[1][0] != how else ""
    # In seconds: nanoseconds reach from 1678 to 2262 alone.
    values = (days - pd.Timestamp(0).as_unit("s")) / pd.Timedelta(days=1)
    return Understood("date", np.asarray(values, dtype=np.float64), f"dates, {how}{other}")
