"""Where a tab is in the lesson: step, values of its controls, presenter's mode. The address says all of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import streamlit as st

from gradnorm.ui.lesson.contents import Step, find, steps
from gradnorm.ui.words import t

# What `?step=1` … `?step=7` meant while the address had numbers.
FORMER = ("drowning", "norms", "rates", "target", "alpha", "renormalise", "limits")
# What the address may hold beside the values of the step's controls.
PRESENT, CLASS, TEACH = "present", "class", "teach"
_PLACE = "lesson.place"


@dataclass
class Place:
    """The state of one tab.

    values: of the controls, by step and key; steps that are not shown keep theirs.
    tried: the stops of the first slider that were tried, in order, by step.
    guesses: the chosen option of the question, by step.  revealed: the steps whose answer is open.
    audience: the code of the class that is followed, or "".  teaching: code and token of the class that is led, or "".
    playing: whether the slider moves by itself.  touring: whether the pages turn by themselves, too.
    since: when playing last moved something, in seconds.
    fault: what the page has to say of an address or a class, until it has said it, or "".
    written: the address as written last, None for a tab that has written none.
    acted: whether somebody has done something on the page since it was drawn.
    """

    step: Step
    presenting: bool = False
    audience: str = ""
    teaching: str = ""
    values: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    tried: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    guesses: dict[str, int] = field(default_factory=dict[str, int])
    revealed: set[str] = field(default_factory=set[str])
    playing: bool = False
    touring: bool = False
    since: float = 0.0
    fault: str = ""
    written: dict[str, str] | None = None
    acted: bool = False

    @property
    def settings(self) -> dict[str, Any]:
        """The values of this step's controls by key, whether they were moved or not."""
        moved = self.values.get(self.step.name, {})
        return {control.key: moved.get(control.key, control.start) for control in self.step.trial.controls}

    @property
    def stops_tried(self) -> list[float]:
        """The stops of this step's slider that were tried, with the one it stands at."""
        tried, now = self.tried.setdefault(self.step.name, []), self.settings[self.step.trial.slider.key]
        if now not in tried:
            tried.append(now)
        return tried

    def put(self, key: str, value: Any) -> None:
        """Move a control of this step."""
        self.values.setdefault(self.step.name, {})[key] = value

    def go(self, step: Step) -> None:
        """Turn to a step."""
        self.step, self.playing, self.since = step, self.touring, 0.0

    def query(self) -> dict[str, str]:
        """Return the address of the place. Controls at their start are left out."""
        query = {"step": self.step.name}
        for control in self.step.trial.controls:
            value = self.settings[control.key]
            if value != control.start:
                query[control.key] = control.spelled(value)
        others = {PRESENT: "1" if self.presenting else "", CLASS: self.audience, TEACH: self.teaching}
        return query | {key: text for key, text in others.items() if text}

    def read(self, query: Mapping[str, str]) -> None:
        """Take over what an address says; what it says wrong is in `fault`, and only that falls back."""
        self.presenting = query.get(PRESENT) == "1"
        # Nothing else may come into the page from an address.
        self.audience, self.teaching = (
            text if re.fullmatch("[A-Za-z0-9_-]{1,40}", text := query.get(key, "")) else "" for key in (CLASS, TEACH)
        )
        wanted = query.get("step")
        if wanted is None:
            return
        known = {str(i + 1): name for i, name in enumerate(FORMER)}
        step = find(known.get(wanted, wanted))
        self.step = step or steps()[0]
        wrong = (
            []
            if step
            else [
                t("There is no step {step!r}, so this is the first of {count}.", step=wanted[:20], count=len(steps()))
            ]
        )
        for control in self.step.trial.controls:
            text = query.get(control.key)
            value = control.start if text is None else control.read(text)
            if value is None:
                wrong.append(
                    t(
                        "There is no {key} = {found!r} here, so it is {value}.",
                        key=control.key,
                        found=str(text)[:20],
                        value=control.text(control.start),
                    )
                )
            self.put(control.key, control.start if value is None else value)
        self.fault = " ".join(wrong)


def place() -> Place:
    """Return where this tab is, without a look at the address."""
    return cast("Place", st.session_state.setdefault(_PLACE, Place(steps()[0])))


def does(here: Place, action: Callable[[], None]) -> Callable[[], None]:
    """Return what a widget calls: the action, with a note that somebody acted on the page."""

    def act() -> None:
        here.acted = True
        action()

    return act


def arrive() -> Place:
    """Return where this tab is. An address that is not the one written last was opened by somebody, and counts.

    But when somebody acts on the page, the browser may not have heard of the last address yet, and sends an older one.
    """
    here, query = place(), dict(st.query_params)
    if query != here.written and not here.acted:
        here.read(query)
    here.acted = False
    write(here)
    return here


def write(here: Place) -> None:
    """Write the place into the address."""
    here.written = here.query()
    if dict(st.query_params) != here.written:
        st.query_params.from_dict(here.written)
