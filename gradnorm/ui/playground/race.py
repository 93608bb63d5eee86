"""The race controls: which methods, α and seeds start from the same network and see the same batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st

from gradnorm.common.declarations import numbers
from gradnorm.config.spec import RunSpec, SpecError, methods
from gradnorm.config.variants import MOST_CONTENDERS, combinations, product
from gradnorm.runs.faults import StoreError
from gradnorm.ui import session
from gradnorm.ui.lab import lab
from gradnorm.ui.widgets import show
from gradnorm.ui.words import on_page, t

_START = ("equal", "gradnorm", "uncertainty")
_KEYS = ("race", "race_alpha", "race_seed")


@dataclass(frozen=True)
class Contenders:
    """What was chosen for a race: the product of methods, α (for methods that have one) and seeds.

    alphas, seeds: as typed, "0, 0.5, 1.5"; empty for the value of the spec.
    """

    methods: tuple[str, ...] = _START
    alphas: str = ""
    seeds: str = ""

    def specs(self, base: RunSpec) -> list[RunSpec]:
        """Return one spec for each contender, made from `base`.

        Raises SpecError if the texts are no numbers, a value is out of range, or there are too many contenders.
        """
        return product(base, self.methods, *self._numbers())

    def fault(self) -> str | None:
        """Return why so many can't race, or what is no number, as a sentence; None if nothing is wrong."""
        try:
            count = self.count()
        except SpecError as error:
            return on_page(error)
        if 2 <= count <= MOST_CONTENDERS:
            return None
        advice = t("Add a method, an α or a seed.") if count < 2 else t("Take out methods, α values or seeds.")
        told = t("A race should have 2 to {most} contenders. Found {count}.", most=MOST_CONTENDERS, count=count)
        return f"{told} {advice}"

    def count(self) -> int:
        """How many there are. Raises SpecError if the texts are no numbers."""
        return len(combinations(self.methods, *self._numbers()))

    def _numbers(self) -> tuple[list[float], list[float]]:
        try:
            return numbers(self.alphas, "α"), numbers(self.seeds, "Seeds")
        except ValueError as error:
            raise SpecError(f"{error}.") from None


def race(started: Callable[[], None] | None = None) -> None:
    """Show the race controls, filled from the address.

    started: called after a race was started.
    """
    choice = session.extra(_KEYS, _read)
    with st.expander(t("Race"), icon=":material/sports_score:", expanded=choice != Contenders()):
        titles = {name: t(method.title) for name, method in methods().items()}
        show("race", list(choice.methods))
        show("race_alpha", choice.alphas)
        show("race_seed", choice.seeds)
        st.multiselect(
            t("Contenders"),
            list(titles),
            key="race",
            format_func=lambda name: titles[name],
            on_change=_change,
            help=t("All start from the same network, see the same batches and take each step together."),
        )
        st.text_input(
            t("α values"),
            key="race_alpha",
            on_change=_change,
            placeholder=t("the α above"),
            help=t("For example 0, 0.5, 1.5."),
        )
        st.text_input(
            t("Seeds"),
            key="race_seed",
            on_change=_change,
            placeholder=t("the seed above"),
            help=t("For example 0, 1. All seeds run in the same race."),
        )
        fault = choice.fault()
        st.caption(fault or t("{count} contenders, of {most} at most.", count=choice.count(), most=MOST_CONTENDERS))
        st.button(
            t("Start race"),
            disabled=fault is not None,
            icon=":material/flag:",
            type="primary",
            on_click=session.once(partial(_launch, started)),
            # Another one for each watched run, so that a second press does not reach the button of the next race.
            key=f"start race {session.watched()}",
            width="stretch",
        )


def _read(query: dict[str, str]) -> Contenders:
    known = methods()
    names = tuple(name for name in query.get("race", ",".join(_START)).split(",") if name in known)
    return Contenders(names or _START, query.get("race_alpha", ""), query.get("race_seed", ""))


def _change() -> None:
    state = st.session_state
    choice = Contenders(tuple(state["race"]), state["race_alpha"].strip(), state["race_seed"].strip())
    session.set_extra(choice, dict(zip(_KEYS, (",".join(choice.methods), choice.alphas, choice.seeds), strict=True)))


def _launch(started: Callable[[], None] | None) -> None:
    choice: Any = session.extra(_KEYS, _read)
    try:
        specs = choice.specs(session.spec())
        runs = lab().race(specs)
    except (SpecError, StoreError) as error:
        session.tell(on_page(error))
        return
    shown = session.spec().method.name
    session.watch(next((run for run, spec in zip(runs, specs, strict=True) if spec.method.name == shown), runs[0]))
    if started is not None:
        started()
