"""One study: how far it is, its buttons, its charts and its runs. It is drawn anew while the study goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import streamlit as st

from gradnorm.charts import studies as charts
from gradnorm.charts.lesson import Look
from gradnorm.common.texts import later
from gradnorm.config.spec import RunSpec, SpecError
from gradnorm.lab.study_keeper import Progress, progress, results_of
from gradnorm.runs.faults import StoreError
from gradnorm.runs.studies import StudyInfo, UnknownStudyError
from gradnorm.studies.registry import study_of
from gradnorm.studies.table import markdown
from gradnorm.ui import session
from gradnorm.ui.figure_words import in_words
from gradnorm.ui.lab import lab, studies
from gradnorm.ui.markdown import plain
from gradnorm.ui.pictures import camera, picture_kind
from gradnorm.ui.server import base_path
from gradnorm.ui.words import number, on_page, t

SECONDS = 2.0
# The time and the steps of a study when this tab first saw it go on.
_SEEN = "gradnorm.study seen"


def view(info: StudyInfo, leave: Callable[[], None]) -> None:
    """Show a study. leave: called when the list is asked for."""
    st.button(t("All studies"), icon=":material/arrow_back:", on_click=leave, key="all studies", type="tertiary")
    st.subheader(plain(info.title), anchor=False)
    if fault := session.fault():
        st.error(plain(fault), icon=":material/error:")
    going = info.state in ("running", "paused")
    st.fragment(_shown, run_every=SECONDS if going else None)(info.study, info.state)
    if info.kind != "table":
        picture_kind()


def _shown(study: str, state: str) -> None:
    try:
        info = lab().store.studies.info(study)
        if info.state != state:
            st.rerun()  # with the buttons that this state allows, and without end if it goes on
        now, report = progress(lab().store, info), _report(info)
    except UnknownStudyError:
        st.rerun()
    except SpecError as error:
        st.error(plain(on_page(error)), icon=":material/error:")
        return
    _bar(info, now)
    _buttons(info)
    if info.engine != "local" and info.state != "finished":
        st.caption(
            t(
                "Its runs are sent to {engine} by the command that started it. If that has ended, go "
                "on with `gradnorm study resume {study}`.",
                engine=info.engine.capitalize(),
                study=info.study,
            )
        )
    if now.ended == 0:
        st.info(t("Charts come with the first runs that end."))
    look = Look(dark=st.context.theme.type == "dark")
    _PARTS[info.kind](report, info, look)
    _runs(info)


def _report(info: StudyInfo) -> Mapping[str, Any]:
    members = lab().store.studies.members(info.study)
    return study_of(info.kind, info.spec).report(results_of(members))


def _bar(info: StudyInfo, now: Progress) -> None:
    share = 1.0 if info.state == "finished" else min(1.0, now.steps / max(now.total, 1))
    words = [
        t(info.state),
        t("{ended:,} of {count:,} runs", ended=now.ended, count=now.count),
        t("{steps:,} steps", steps=now.steps),
    ]
    if info.state == "running" and (left := _seconds_left(info.study, now)):
        words.append(t("about {time} left", time=_time(left)))
    if now.best:
        words.append(
            f"{t('best') if info.state == 'finished' else t('best so far')} {number(now.best[1], '.4g')}, {now.best[0]}"
        )
    st.progress(share, text=plain(" · ".join(words)))


def _seconds_left(study: str, now: Progress) -> float | None:
    """Return how long a study will take at the pace that this tab has seen; None before there is one."""
    seen = st.session_state.get(_SEEN)
    if seen is None or seen[0] != study or seen[2] > now.steps:
        st.session_state[_SEEN] = seen = (study, time.monotonic(), now.steps)
    seconds, steps = time.monotonic() - seen[1], now.steps - seen[2]
    return seconds * (now.total - now.steps) / steps if steps > 0 and seconds > SECONDS else None


def _time(seconds: float) -> str:
    return (
        t("{seconds:.0f} s", seconds=seconds)
        if seconds < 90
        else t("{minutes:.0f} min", minutes=seconds / 60)
        if seconds < 5400
        else t("{hours:.1f} h", hours=seconds / 3600)
    )


def _buttons(info: StudyInfo) -> None:
    running, over = info.state == "running", info.state == "finished"
    with st.container(horizontal=True, gap="small", key="studybar"):
        if running or over:
            _button(t("Pause"), "pause", "pause", studies().pause, info, over)
        else:
            _button(t("Resume"), "resume", "play_arrow", studies().resume, info, False)
        _button(t("Stop"), "stop", "stop", studies().stop, info, over or info.state == "stopped")


def _button(label: str, key: str, icon: str, action: Callable[[str], None], info: StudyInfo, disabled: bool) -> None:
    def act() -> None:
        try:
            action(info.study)
        except (StoreError, UnknownStudyError, SpecError) as error:
            session.tell(on_page(error))

    if st.button(label, icon=f":material/{icon}:", on_click=act, disabled=disabled, key=f"study {key}"):
        st.rerun()  # of the whole page: this part alone was drawn for the state before


def _alpha(report: Mapping[str, Any], info: StudyInfo, look: Look) -> None:
    if report["suggested"]:
        st.success(
            plain(t("Suggested α {alpha:g}.", alpha=report["suggested"]["alpha"]) + f" {report['suggested']['why']}")
        )
    if report["unstable_from"] is not None:
        st.warning(
            t(
                "From α {alpha:g} on, training was unstable: runs broke off or ended far worse.",
                alpha=report["unstable_from"],
            )
        )
    if not any(row["loss"] for row in report["alphas"]):
        return
    left, right = st.columns(2)
    tasks = RunSpec.parse(info.spec["base"]).dataset.task_names
    _chart(left, charts.alpha_losses(report, look), "alpha losses")
    _chart(right, charts.alpha_weights(report, tasks, look), "alpha weights")
    rows = [
        {
            "α": row["alpha"],
            **_spread(row["loss"]),
            t("Gain over equal weights"): row["gain"] and row["gain"]["median"],
            t("Remark"): t("dropped after {steps:,} steps", steps=row["dropped_at"])
            if row["dropped_at"]
            else t("unstable")
            if row["unstable"]
            else "",
        }
        for row in report["alphas"]
    ]
    _table(rows)


def _grid(report: Mapping[str, Any], info: StudyInfo, look: Look) -> None:
    if report["points"]:
        _chart(st.container(), charts.grid_points(report, look), "grid points")
        st.caption(t("A point is a network with random fixed weights. Above the line it is better than GradNorm."))
    for name, found in (report["correlation"] or {}).items():
        st.markdown(
            t(
                "Correlation of distance and change, {name}: **{value:.2f}**, 95 % interval {low:.2f} … {high:.2f}",
                name=name.title(),
                value=found["value"],
                low=found["low"],
                high=found["high"],
            )
        )
    if any(place["loss"] for place in report["methods"].values()):
        _table(
            [
                {
                    t("Method"): name,
                    **_spread(place["loss"]),
                    t("Better than"): place["better_than"] and place["better_than"]["median"],
                }
                for name, place in report["methods"].items()
            ]
        )


def _fixed(report: Mapping[str, Any], info: StudyInfo, look: Look) -> None:
    if report["code"]:
        st.success(plain(t("The best of the candidates by now: {best}", best=report["best"])))
        st.code(report["code"], language="python")
    if any(row["loss"] for row in report["candidates"]):
        _chart(st.container(), charts.fixed_losses(report, look), "fixed losses")
        _table(
            [
                {
                    t("Candidate"): row["name"],
                    **_spread(row["loss"]),
                    t("Weights"): ", ".join(f"{w:.4g}" for w in row["weights"]),
                }
                for row in report["candidates"]
            ]
        )


def _methods(report: Mapping[str, Any], info: StudyInfo, look: Look) -> None:
    st.markdown("\n".join(markdown(report)))


_PARTS = {"alpha": _alpha, "grid": _grid, "fixed": _fixed, "table": _methods}


def _spread(loss: Mapping[str, Any] | None) -> dict[str, Any]:
    found = loss or {"median": None, "least": None, "most": None, "runs": 0}
    return {
        t("Test loss"): found["median"],
        t("Least"): found["least"],
        t("Most"): found["most"],
        t("Runs"): found["runs"],
    }


def _table(rows: list[dict[str, Any]]) -> None:
    shares = {
        name: st.column_config.NumberColumn(format="percent")
        for name in (t("Gain over equal weights"), t("Better than"))
    }
    losses = {name: st.column_config.NumberColumn(format="%.4g") for name in (t("Test loss"), t("Least"), t("Most"))}
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch", column_config={**shares, **losses})


def _chart(place: Any, figure: Any, key: str) -> None:
    place.plotly_chart(in_words(figure), config=camera(f"study-{key.replace(' ', '-')}"), key=f"study {key}")


def _runs(info: StudyInfo) -> None:
    members = lab().store.studies.members(info.study)
    losses = {key: result.loss for key, result in results_of(members).items() if result.usable}
    with st.expander(t("{count:,} runs", count=len(members)), icon=":material/list:"):
        rows = [
            {
                t("Run"): f"{base_path()}/?run={member.run}",
                t("What"): member.key,
                t("State"): t(member.state or later("deleted")),
                t("Test loss"): losses.get(member.key),
            }
            for member in members
        ]
        link = st.column_config.LinkColumn(display_text=r"run=(.+)$", help=t("Opens the run in the Playground."))
        digits = st.column_config.NumberColumn(format="%.4g")
        config = {t("Run"): link, t("Test loss"): digits}
        st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch", column_config=config)
