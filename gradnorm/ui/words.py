"""The words of the pages, in the language of whoever reads them.

English is in the code. Each other language is a table of GNU gettext, `assets/words/CODE.po`, which `make words` keeps
complete. What lower layers declare, such as the titles of options, is English there and translated where it is shown.
"""

from __future__ import annotations

import gettext
import json
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from io import BytesIO
from string import Formatter
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from gradnorm.common.texts import Text, later
from gradnorm.config.options import options
from gradnorm.config.parts import SpecError, methods
from gradnorm.ui.location import assets

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog

ENGLISH = "en"
# The key of a language in an address, of a chosen one in the session, and of a cookie that keeps the choice.
LANG, CHOSEN, COOKIE = "lang", "gradnorm.language", "gradnorm_lang"
# Layers whose texts go to the live panel.
_TOLD = ("gradnorm/datasets/", "gradnorm/lab/", "gradnorm/runs/", "gradnorm/training/")

# The language of `speaking`; "" where none was asked for.
_spoken: ContextVar[str] = ContextVar("spoken", default="")

_PARTS = {"dataset": later("Data set"), "method": later("Method"), "preset": later("Preset")}


def t(text: str, /, **values: Any) -> str:
    """Return an English text in the visitor's language.

    text: also one that a lower layer has filled, a `Text`.
    values: what to put in place of `{name}` or `{name:.3g}`; numbers are written as the language writes them.
    """
    return said(Text(text, values) if values else text, language())


def said(text: str, code: str) -> str:
    """Return an English text, also a filled one, in a language, which is given as its code."""
    if not isinstance(text, Text):
        return _table(code).gettext(text) if text else ""
    values = {name: said(value, code) if isinstance(value, Text) else value for name, value in text.values.items()}
    template = _table(code).gettext(text.template) if text else ""
    return _Local(code).format(template, **values) if values else template


def tn(one: str, many: str, count: int, /, **values: Any) -> str:
    """Return the form of a text that `count` asks for, which is also the value `{count}`; otherwise as `t`.

    one, many: the English text for a count of 1, and for any other.
    """
    code = language()
    return _Local(code).format(_table(code).ngettext(one, many, count), count=count, **values)


def number(value: Any, form: str = "") -> str:
    """Return a number in the visitor's language. form: how Python writes it, as in ".3g"."""
    return _local(format(value, form), language())


def enumerated(texts: Sequence[str]) -> str:
    """Return numbers that `number` wrote as a list, whose separator is none that they have in them."""
    return ("; " if symbols(language())[1] == "," else ", ").join(texts)


@contextmanager
def speaking(code: str) -> Generator[None]:
    """Speak a language, whoever reads: for pages that are written for visitors to come."""
    before = _spoken.set(code)
    try:
        yield
    finally:
        _spoken.reset(before)


def language() -> str:
    """Return the code of the language to show: as the address says, was chosen, or else as the browser asks."""
    if spoken := _spoken.get():
        return spoken
    if get_script_run_ctx(suppress_warning=True) is None:
        return ENGLISH
    state, known = st.session_state, languages()
    if (linked := st.query_params.get(LANG)) in known:
        # Pages write their own addresses over it.
        state[CHOSEN] = linked
    return first_of(state.get(CHOSEN), st.context.cookies.get(COOKIE), st.context.locale)


def first_of(*wanted: str | None) -> str:
    """Return the code of the first language that there is, English without one. wanted: each as in "de-AT"."""
    codes = (str(each or "").strip().partition("-")[0].lower() for each in wanted)
    return next((code for code in codes if code in languages()), ENGLISH)


def in_scripts(code: str, also: Collection[str] = ()) -> str:
    """Return what `assets/live/words.js` asks for: as JSON, the texts of scripts in a language, by the English ones.

    also: other texts that are wanted.
    """
    wanted = {*also, *(method.title for method in methods().values())}
    used = (m for m in _catalog(code) if m.id in wanted or any(_for_scripts(path) for path, _ in m.locations))
    return json.dumps({str(message.id): message.string for message in used if message.string}, ensure_ascii=False)


def _for_scripts(path: str) -> bool:
    """Whether the texts of a file are shown by scripts: their own, and what the server tells them of a run."""
    return path.endswith((".js", ".html")) or path.startswith(_TOLD)


@cache
def languages() -> Mapping[str, str]:
    """Return the name of each language by its code, each in its own words."""
    from babel import Locale

    codes = [ENGLISH, *sorted(path.stem for path in (assets() / "words").glob("*.po"))]
    return {code: Locale.parse(code).get_display_name() or code for code in codes}


@cache
def symbols(code: str) -> tuple[str, str, str]:
    """Return how a language writes the mark between thousands, the decimal mark and the percent sign."""
    if code == ENGLISH:
        return ",", ".", "%"
    from babel import Locale
    from babel.numbers import get_decimal_symbol, get_group_symbol

    percent = str(Locale.parse(code).percent_formats[None].pattern).rpartition("0")[2]
    return get_group_symbol(code), get_decimal_symbol(code), percent


@cache
def _table(code: str) -> gettext.NullTranslations:
    """Return a language's table. It is read once a process; Babel is imported for it, and not for English."""
    if code == ENGLISH:
        return gettext.NullTranslations()
    from babel.messages.mofile import write_mo

    compiled = BytesIO()
    write_mo(compiled, _catalog(code))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def _catalog(code: str) -> Catalog:
    from babel.messages.pofile import read_po

    with (assets() / "words" / f"{code}.po").open("rb") as file:
        return read_po(file, locale=code)


class _Local(Formatter):
    """Fills values into a text, with numbers as a language writes them."""

    def __init__(self, code: str) -> None:
        self.code = code

    def format_field(self, value: Any, format_spec: str) -> str:
        text = format(value, format_spec)
        return text if isinstance(value, str | bool) else _local(text, self.code)


def _local(text: str, code: str) -> str:
    group, decimal, percent = symbols(code)
    return text.translate({ord(","): group, ord("."): decimal, ord("%"): percent})


def titles() -> dict[str, str]:
    """Return the title of every control of a spec by its key."""
    named = {**_PARTS, **{option.key: option.title for option in options()}}
    return {key: t(title) for key, title in named.items()}


def on_page(error: Exception) -> str:
    """Return what an error says, with the control to use in place of a command-line option."""
    if not isinstance(error, SpecError) or not error.key:
        return str(error)
    title = titles().get(error.key)
    return f"{t(error.fault)} {t('Change “{title}” on this page.', title=title)}" if title else str(error)
