"""Which runs the Gallery can show, and the link to it. Imports little, since other pages use it."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from gradnorm.config.spec import datasets
from gradnorm.runs.records import RunInfo
from gradnorm.ui import navigation
from gradnorm.ui.words import t


def has_pictures(spec: Mapping[str, object]) -> bool:
    """Return whether there is something to look at in a spec's runs. spec: values by key, as in `RunSpec.flat`."""
    dataset = datasets().get(str(spec.get("dataset")))
    return dataset is not None and dataset.pictured()


def gallery_link(info: RunInfo | None) -> None:
    """Show a link to a run's predictions, if there is something to look at."""
    if info is not None and has_pictures(info.spec):
        st.page_link(
            navigation.gallery(),
            label=t("Predictions"),
            icon=":material/photo_library:",
            query_params={"run": info.run},
            help=t("Shows this run's predictions beside the ground truth, in the Gallery."),
        )
