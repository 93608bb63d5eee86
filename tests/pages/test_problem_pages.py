"""Problems on the pages: chosen as a data set is, seen in the gallery; a person's own file is shown but not started."""

from __future__ import annotations

import pytest

from gradnorm.config.spec import RunSpec
from gradnorm.ui.lab import lab
from tests.factories import finished, wait_for
from tests.pages.test_gallery_page import opened, words

pytestmark = pytest.mark.slow  # whole pages, and a run with checkpoints

TINY = {
    "width": "8",
    "depth": "1",
    "batch_size": "16",
    "steps": "6",
    "eval_every": "3",
    "checkpoint_every": "3",
    "device": "cpu",
}


def test_a_problem_is_chosen_trained_and_seen(tab):
    page = tab(dataset="helmholtz", **TINY)
    page.set("selectbox", "choice:dataset", "burgers")
    assert page.query["dataset"] == "burgers"
    page.press("start")
    (info,) = wait_for(lambda: [run for run in lab().store.runs() if run.ended])
    assert (info.state, list(info.tasks)) == ("finished", ["residual", "start", "boundary"])
    gallery = opened(tab, run=info.run)
    # Truth, answer and error.
    assert len(gallery.at.get("plotly_chart")) == 3
    text = words(gallery)
    assert "t to the right from 0 to 1, x upwards from −1 to 1" in text
    assert "relative error" in text
    assert "step 6" in text
    assert not gallery.at.toggle
    assert words(opened(tab, run=info.run, step="3")) != text


def test_truth_and_answer_share_a_scale(tab):
    page = tab(dataset="helmholtz", **TINY)
    page.press("start")
    wait_for(lambda: [run for run in lab().store.runs() if run.ended])
    import json

    truth, answer, error = (json.loads(chart.proto.spec)["data"][-1] for chart in opened(tab).at.get("plotly_chart"))
    ends = [(part["zmin"], part["zmax"]) for part in (truth, answer, error)]
    assert ends[0] == ends[1] == pytest.approx((-1, 1), abs=1e-3)
    assert ends[2][0] == 0
    assert ends[2][1] > 0


def test_a_file_of_the_person_s_own_is_shown_but_not_started(tab, tmp_path):
    mark = tmp_path / "executed"
    file = tmp_path / "own.py"
    file.write_text(f"open({str(mark)!r}, 'w')\n")
    assert "Your problem" not in tab().at.selectbox(key="choice:dataset").options
    page = tab(dataset="problem", file=str(file), term_names="residual,start", **TINY)
    assert not page.at.error
    page.press("start")
    assert "Use the command line: gradnorm train --dataset problem:FILE" in page.at.error[0].value.replace("\\", "")
    assert not lab().store.runs()
    spec = RunSpec.parse({"dataset": "problem", "file": str(file), "term_names": "residual,start"})
    run = lab().store.create(spec.title, spec.flat(), spec.dataset.task_names, queued=False)
    lab().store.end(run, finished(0))
    shown = tab(run=run)
    assert "Your problem" in shown.widget("selectbox", "choice:dataset").options
    shown.press("start")
    assert len(lab().store.runs()) == 1
    assert not mark.exists()
