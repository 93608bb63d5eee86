"""The gallery: which run, picture and checkpoint it shows, and what it says when it cannot."""

from __future__ import annotations

import re

import pytest

from gradnorm.config.spec import RunSpec
from gradnorm.lab.run_writer import record_group
from gradnorm.training.control import Control
from gradnorm.ui.lab import lab
from tests.factories import TINY, finished

pytestmark = pytest.mark.slow  # a second or two each: a run with checkpoints, then whole pages of pictures

OVERLAY = {
    "dataset": "overlay",
    "channels": 0.1,
    "batch_size": 4,
    "steps": 9,
    "checkpoint_every": 3,
    "eval_every": 9,
    "device": "cpu",
    "output_scale": True,
}


def make(*methods: str, **changes) -> list[str]:
    """Train runs of these methods, as a race if there are several; return their ids."""
    from gradnorm.lab.resume import records_of

    specs = [RunSpec.parse({**OVERLAY, **changes, "method": method}) for method in methods]
    store, entries = lab().store, [(spec.title, spec.flat()) for spec in specs]
    tasks = specs[0].dataset.task_names
    runs = store.create_race(entries, tasks, queued=False) if len(specs) > 1 else [
        store.create(*entries[0], tasks, queued=False)
    ]  # fmt: skip
    controls = {run: Control() for run in runs}
    items = records_of(store, [store.info(run) for run in runs], controls)
    for _ in record_group(store, runs, items, list(controls.values())):
        pass
    return runs


def opened(tab, **query: str):
    """Open the gallery at an address."""
    page = tab("gallery")
    for key in dict(page.at.query_params):
        del page.at.query_params[key]
    for key, value in query.items():
        page.at.query_params[key] = value
    page.rerun()
    return page


def key(page, kind: str) -> str:
    """Return the key of one of the widgets, some of which also say what the options are."""
    widgets = {"run": page.at.selectbox, "step": page.at.select_slider, "image": page.at.slider}[kind]
    return next(widget.key for widget in widgets if widget.key.startswith(f"gallery-{kind}"))


def words(page) -> str:
    """All that the page's HTML says, without tags."""
    return re.sub(
        r"<[^>]+>", " ", " ".join(html.proto.body for html in page.at.get("html") if "<style" not in html.proto.body)
    )


def errors(page) -> list[str]:
    return re.findall(r"RMSE [\d.e-]+|off by [\d.e-]+", words(page))


def test_an_empty_home_says_what_to_do(tab):
    page = tab("gallery")
    (info,) = page.at.info
    assert "No run on pictures yet" in info.value


def test_runs_without_pictures_are_left_out(tab):
    spec = RunSpec.parse(TINY)
    store = lab().store
    run = store.create(spec.title, spec.flat(), spec.dataset.task_names, queued=False)
    store.end(run, finished(0))
    assert "No run on pictures yet" in tab("gallery").at.info[0].value


def test_a_race_has_a_row_a_contender_and_stands_in_the_list_once(tab):
    runs = make("equal", "uncertainty")
    page = tab("gallery")
    assert (
        page.at.selectbox(key=key(page, "run")).options[0].startswith("overlay-4 · race of Equal weights, Uncertainty")
    )
    assert len(page.at.selectbox(key=key(page, "run")).options) == 1
    text = words(page)
    assert text.index("Equal weights") < text.index("Uncertainty weighting")
    assert text.count("step 9") == 2
    # Picture and truth, and an answer each.
    assert len(page.at.get("plotly_chart")) == 4
    assert page.query["run"] in runs


def test_the_address_says_run_picture_and_checkpoint(tab):
    (older,) = make("equal")
    make("uncertainty")
    page = opened(tab, run=older, image="4", step="3")
    assert page.query == {"run": older, "image": "4", "step": "3"}
    assert page.at.slider(key=key(page, "image")).value == 4
    assert page.at.select_slider(key=key(page, "step")).value == 3
    assert "step 3" in words(page)
    assert "Equal weights" in words(page)


def test_another_picture_and_another_checkpoint_have_other_errors(tab):
    make("equal", learning_rate=0.05)
    page = tab("gallery")
    newest = errors(page)
    page.set("slider", key(page, "image"), 11)
    assert page.query["image"] == "11"
    other = errors(page)
    page.set("select_slider", key(page, "step"), 3)
    assert page.query["step"] == "3"
    early = errors(page)
    assert len(newest) == len(other) == len(early) == 2
    assert newest != other != early
    page.set("select_slider", key(page, "step"), "newest")
    assert "step" not in page.query
    assert errors(page) == other


def test_errors_are_maps_with_a_scale(tab):
    make("equal")
    page = tab("gallery")
    assert "black instead of white" not in words(page)
    page.set("toggle", "gallery-errors", True)
    assert "black instead of white" in words(page)


def test_another_run_is_chosen_and_its_newest_checkpoint_shown(tab):
    (older,) = make("equal")
    (newer,) = make("uncertainty")
    page = opened(tab, step="3")
    assert page.query["run"] == newer
    page.set("selectbox", key(page, "run"), older)
    assert page.query == {"run": older, "image": "1"}
    assert "step 9" in words(page)


def test_a_run_that_is_not_there_is_told(tab):
    (run,) = make("equal")
    page = opened(tab, run="nope", image="abc", step="x")
    assert "There is no run nope" in page.at.warning[0].value
    assert page.query == {"run": run, "image": "1"}


def test_without_checkpoints_it_says_how_to_have_them(tab):
    make("equal", checkpoint_every=0)
    page = tab("gallery")
    assert "keeps no checkpoints, because Checkpoint every is 0" in page.at.info[0].value
    assert not page.at.get("plotly_chart")


def test_a_run_that_has_only_begun_says_when_the_first_checkpoint_comes(tab):
    spec = RunSpec.parse({**OVERLAY, "checkpoint_every": 2000})
    store = lab().store
    run = store.create(spec.title, spec.flat(), spec.dataset.task_names, queued=False)
    page = tab("gallery")
    assert "The first checkpoint comes at step 2,000" in page.at.info[0].value
    store.end(run, finished(0))


def test_a_damaged_checkpoint_is_told_and_the_others_are_shown(tab):
    runs = make("equal", "uncertainty")
    (file,) = (lab().store.home / "checkpoints" / runs[0]).glob("*9.ckpt")
    file.write_bytes(file.read_bytes()[:-1])
    page = tab("gallery")
    assert "it is damaged. Use the one before it" in words(page)
    assert len(page.at.get("plotly_chart")) == 3


@pytest.mark.parametrize("options", [{"units": "nothing"}, {"dataset": "overlay", "surprise": 1}])
def test_a_run_of_another_version_is_told(tab, options):
    flat = RunSpec.parse(OVERLAY).flat()
    run = lab().store.create("overlay", {**flat, **options}, ("a",), queued=False)
    lab().store.end(run, finished(0))
    page = tab("gallery")
    assert page.at.error[0].value.startswith("The test pictures cannot be shown. ")
