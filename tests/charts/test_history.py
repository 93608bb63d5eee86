"""Charts as pure figures, from snapshots of a real store."""

import pytest

from gradnorm.charts import history
from gradnorm.charts.palette import task_style
from gradnorm.runs.records import Evaluation, StepRecord
from gradnorm.runs.store import RunStore


@pytest.fixture
def snapshot(tmp_path):
    store = RunStore(tmp_path)
    run = store.create("toy-2", {"steps": 3000}, ["a", "b"], queued=False)
    two = (1.0, 2.0)
    records = [
        StepRecord(step=t, losses=two, weights=(t / 3000, 2 - t / 3000), loss_ratios=two, relative_rates=two)
        for t in range(1, 3001)
    ]
    evaluations = [Evaluation(t, two, (0.5, 1 - t / 4000), 1.5 - t / 4000, ({"r2": 0.0},) * 2) for t in (0, 1500, 3000)]
    store.append(run, records, evaluations)
    yield store.read(run)
    store.close()


def test_weights_have_a_line_a_task_in_its_colour(snapshot):
    figure = history.weights(snapshot)
    assert [line.name for line in figure.data] == ["a", "b"]
    assert [line.line.color for line in figure.data] == [task_style(0).light, task_style(1).light]
    assert (figure.layout.yaxis.type, figure.layout.yaxis.tickformat) == ("log", "~g")
    for line in figure.data:
        assert len(line.x) <= history.MOST_POINTS
    assert figure.data[0].y[0] == pytest.approx(1 / 3000)


def test_test_loss_has_a_line_a_run(snapshot):
    figure = history.test_loss([snapshot, snapshot])
    assert len(figure.data) == 2
    assert list(figure.data[0].x) == [0, 1500, 3000]
    assert list(figure.data[0].y) == [1.5, 1.125, 0.75]


def test_sixty_four_tasks_look_different():
    styles = [task_style(i) for i in range(64)]
    assert len({(s.light, s.dash) for s in styles}) == 64
    assert len({(s.dark, s.dash) for s in styles}) == 64


def contrast(a, b):
    def luminance(color):
        parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_colours_stand_out_from_their_page():
    for i in range(8):
        assert contrast(task_style(i).light, "#FFFFFF") >= 3
        assert contrast(task_style(i).dark, "#10161C") >= 3
