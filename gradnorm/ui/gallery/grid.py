"""The wall of the gallery: the truth, and below it a row of answers for each contender."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from gradnorm.charts import gallery as charts
from gradnorm.config.spec import RunSpec, datasets
from gradnorm.config.variants import MOST_CONTENDERS
from gradnorm.runs.records import RunInfo
from gradnorm.runs.store import UnknownRunError
from gradnorm.ui.gallery import figures
from gradnorm.ui.gallery.figures import Exhibit
from gradnorm.ui.lab import lab

if TYPE_CHECKING:
    from gradnorm.models.network import Network
    from gradnorm.training.predict import Answer, Showcase


@dataclass(frozen=True)
class Row:
    """One contender: its name, and the step whose checkpoint is shown; None where it has none."""

    info: RunInfo
    label: str
    step: int | None


@st.cache_resource(max_entries=2, show_spinner="Loading the test pictures …")
def showcase(dataset: str, options: str, seed: int) -> Showcase:
    """Return the test set of a data set; `options` as JSON, since it is what the cache goes by."""
    from gradnorm.training.predict import Showcase

    return Showcase(datasets()[dataset].model_validate_json(options).load(seed))


@st.cache_resource(max_entries=MOST_CONTENDERS, show_spinner=False)
def _network(run: str, step: int, seed: int, _shown: Showcase) -> Network:
    store = lab().store
    return _shown.network(RunSpec.parse(store.info(run).spec), store.checkpoints.read(run, step))


# A run that goes on after its last checkpoint may write one of the same step again: it is the same to the last digit.
@st.cache_data(max_entries=200, show_spinner=False)
def _answers(run: str, step: int, image: int, seed: int, _shown: Showcase) -> list[Answer]:
    return _shown.answers(_network(run, step, seed, _shown), image)


def hang(shown: Showcase, rows: Sequence[Row], image: int, seed: int) -> None:
    """Show the truth and a row a contender.

    image: the place of a test picture, from 0.  seed: of the data that are shown.
    """
    found: list[tuple[Row, list[Answer] | str]] = []
    with st.spinner("Asking the networks …", show_time=False):
        for row in rows:
            if row.step is not None:
                found.append((row, _asked(shown, row, row.step, (image, seed))))
    sound = [answers for _, answers in found if not isinstance(answers, str)]
    if not sound:
        for _, fault in found:
            st.error(fault, icon=":material/error:")
        return
    drawn = [i for i, answer in enumerate(sound[0]) if figures.is_map(answer)]
    errors = bool(drawn) and st.toggle(
        "Show errors", key="gallery-errors", help="Where each answer is wrong, and how far."
    )
    picture = shown.picture(image)
    with st.container(key="gallery"):
        _truth(picture, sound, drawn)
        if errors and (legend := figures.errors_legend([sound[0][i] for i in drawn])):
            st.html(f'<p class="gallery-scales">{legend}</p>')
        for i, (row, answers) in enumerate(found):
            with st.container(key=f"gallery-row-{i + 1}"):
                _contender(picture, row, answers, drawn, i, errors=errors)
        for row in rows:
            if row.step is None:
                st.caption(f"{row.label} has no checkpoint up to this step.")


def _asked(shown: Showcase, row: Row, step: int, image: tuple[int, int]) -> list[Answer] | str:
    """Return a contender's answers, or what is wrong with its checkpoint."""
    try:
        return _answers(row.info.run, step, *image, shown)
    except (ValueError, UnknownRunError) as error:  # a CheckpointError, SpecError, PredictionError is a ValueError
        return str(error)


def _truth(picture: charts.Image, sound: Sequence[Sequence[Answer]], drawn: Sequence[int]) -> None:
    with st.container(key="gallery-row-0"):
        _cell("0-picture", Exhibit(charts.picture(picture), "The test picture", "<b>picture</b> and ground truth"))
        for i in drawn:
            _cell(f"0-{i}", figures.truth(picture, [answers[i] for answers in sound]))
        _card("0-card", sound[0], drawn, true=True)


def _contender(
    picture: charts.Image, row: Row, answers: Sequence[Answer] | str, drawn: Sequence[int], place: int, *, errors: bool
) -> None:
    with st.container(key=f"gallery-name-{place}"):
        fault = f"<p>{escape(answers)}</p>" if isinstance(answers, str) else ""
        st.html(f"<h3>{escape(row.label)}</h3><p>step {row.step:,}</p>{fault}")
    if isinstance(answers, str):
        return
    for i in drawn:
        _cell(f"{place + 1}-{i}", figures.answer(picture, answers[i], row.label, errors=errors))
    _card(f"{place + 1}-card", answers, drawn, true=False)


def _cell(key: str, exhibit: Exhibit) -> None:
    with st.container(key=f"gallery-cell-{key}"):
        with st.container(key=f"gallery-frame-{key}"):
            st.plotly_chart(
                exhibit.figure,
                key=f"gallery-chart-{key}",
                config={"displayModeBar": False},
                alt=exhibit.alt,
                height="stretch",
            )
        st.html(f'<div class="gallery-words">{exhibit.words}</div>')


def _card(key: str, answers: Sequence[Answer], drawn: Sequence[int], *, true: bool) -> None:
    written = [answer for i, answer in enumerate(answers) if i not in drawn]
    if written:
        with st.container(key=f"gallery-cell-{key}"):
            st.html(figures.card(written, true=true))
