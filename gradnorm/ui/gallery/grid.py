"""The gallery's grid: a row with the ground truth, and below it a row of predictions for each contender."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from gradnorm.charts import gallery as charts
from gradnorm.config.spec import RunSpec, datasets
from gradnorm.runs.records import RunInfo
from gradnorm.runs.store import UnknownRunError
from gradnorm.ui.gallery import figures
from gradnorm.ui.gallery.figures import TaskFigure
from gradnorm.ui.lab import lab
from gradnorm.ui.markdown import plain
from gradnorm.ui.pictures import camera
from gradnorm.ui.words import t

if TYPE_CHECKING:
    from torch import nn

    from gradnorm.training.predict import Answer, Showcase

# Networks that are kept in memory.
_NETWORKS = 8


@dataclass(frozen=True)
class GridRow:
    """One contender of the grid. step: that of the checkpoint to show, None if the run has none up to there."""

    info: RunInfo
    label: str
    step: int | None


@st.cache_resource(max_entries=2, show_spinner=False)
def load_test_images(dataset: str, options: str, seed: int) -> Showcase:
    """Return the test pictures of a data set.

    dataset: its name.  options: its fields as JSON, so that the cache can compare them.  seed: of the split.
    Raises DataError if the data can't be read.
    """
    from gradnorm.training.predict import Showcase

    return Showcase.of(datasets()[dataset].model_validate_json(options), seed)


@st.cache_resource(max_entries=_NETWORKS, show_spinner=False)
def _network(run: str, step: int, seed: int, _images: Showcase) -> nn.Module:
    store = lab().store
    return _images.network(RunSpec.parse(store.info(run).spec), store.checkpoints.read(run, step))


# A resumed run may write a checkpoint of the same step again. It is the same bit for bit, so the cache stays right.
@st.cache_data(max_entries=200, show_spinner=False)
def _answers(run: str, step: int, image: int, seed: int, _images: Showcase) -> list[Answer]:
    return _images.answers(_network(run, step, seed, _images), image)


def show_grid(images: Showcase, rows: Sequence[GridRow], image: int, seed: int) -> None:
    """Show the ground truth, and below it a row for each contender.

    images: the test pictures.  rows: the contenders.  image: index of the test picture, from 0.  seed: of the data.
    """
    answered: list[tuple[GridRow, list[Answer] | str]] = []
    with st.spinner(t("Computing predictions …"), show_time=False):
        for row in rows:
            if row.step is not None:
                answered.append((row, _answers_or_fault(images, row, row.step, (image, seed))))
    sound = [answers for _, answers in answered if not isinstance(answers, str)]
    if not sound:
        for _, fault in answered:
            st.error(plain(str(fault)), icon=":material/error:")
        return
    drawn = [i for i, answer in enumerate(sound[0]) if figures.is_map(answer)]
    # The errors of a field stand beside it.
    errors = any(sound[0][i].view != "field" for i in drawn) and st.toggle(
        t("Show errors"), key="gallery-errors", help=t("Show where each prediction is wrong, and by how much.")
    )
    picture = images.picture(image)
    with st.container(key="gallery"):
        _truth(picture, sound, drawn)
        if errors and (legend := figures.errors_legend([sound[0][i] for i in drawn])):
            st.html(f'<p class="gallery-scales">{legend}</p>')
        for i, (row, answers) in enumerate(answered):
            with st.container(key=f"gallery-row-{i + 1}"):
                _contender(picture, row, answers, drawn, i, errors=errors)
        for row in rows:
            if row.step is None:
                st.caption(t("{label} has no checkpoint up to this step.", label=plain(row.label)))


def _answers_or_fault(images: Showcase, row: GridRow, step: int, image: tuple[int, int]) -> list[Answer] | str:
    """Return a contender's answers, or a message if its checkpoint can't be used. image: index and seed."""
    try:
        return _answers(row.info.run, step, *image, images)
    except (ValueError, UnknownRunError) as error:  # a CheckpointError, SpecError, PredictionError is a ValueError
        return str(error)


def _truth(picture: charts.Image | None, sound: Sequence[Sequence[Answer]], drawn: Sequence[int]) -> None:
    with st.container(key="gallery-row-0"):
        if picture is None:
            # Where the contenders' names are, so that truth and answers stand in one column.
            with st.container(key="gallery-name-truth"):
                st.html(f"<h3>{t('Truth')}</h3>")
        else:
            caption = t("<b>picture</b>, and the ground truth of each task")
            _cell("0-picture", TaskFigure(charts.picture(picture), t("The test picture"), caption))
        for i in drawn:
            _cell(f"0-{i}", figures.truth(picture, [answers[i] for answers in sound]))
        _card("0-card", sound[0], drawn, true=True)


def _contender(
    picture: charts.Image | None,
    row: GridRow,
    answers: Sequence[Answer] | str,
    drawn: Sequence[int],
    place: int,
    *,
    errors: bool,
) -> None:
    with st.container(key=f"gallery-name-{place}"):
        fault = f"<p>{escape(answers)}</p>" if isinstance(answers, str) else ""
        st.html(f"<h3>{escape(row.label)}</h3><p>{t('step {step:,}', step=row.step)}</p>{fault}")
    if isinstance(answers, str):
        return
    for i in drawn:
        _cell(f"{place + 1}-{i}", figures.prediction(picture, answers[i], row.label, errors=errors))
        if answers[i].view == "field":
            _cell(f"{place + 1}-{i}-error", figures.field_error(answers[i], row.label))
    _card(f"{place + 1}-card", answers, drawn, true=False)


def _cell(key: str, task_figure: TaskFigure) -> None:
    with st.container(key=f"gallery-cell-{key}"):
        with st.container(key=f"gallery-frame-{key}"):
            st.plotly_chart(
                task_figure.figure,
                key=f"gallery-chart-{key}",
                config=camera(f"gallery-{key}", width=540),
                alt=task_figure.alt,
                height="stretch",
            )
        st.html(f'<div class="gallery-words">{task_figure.caption}</div>')


def _card(key: str, answers: Sequence[Answer], drawn: Sequence[int], *, true: bool) -> None:
    written = [answer for i, answer in enumerate(answers) if i not in drawn]
    if written:
        with st.container(key=f"gallery-cell-{key}"):
            st.html(figures.card(written, true=true))
