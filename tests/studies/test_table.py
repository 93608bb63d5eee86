"""The paper's tables as a study: which runs there are, and Δm by hand."""

import pytest

from gradnorm.config.spec import SpecError
from gradnorm.studies.base import Result
from gradnorm.studies.registry import study_of
from gradnorm.studies.table import TableStudy, markdown, paper_base

ROOMS = {"dataset": "rooms", "learn_normals": False, "steps": 10}


def table(methods="equal,gradnorm", seeds="1,2", **base):
    return TableStudy.parse({**ROOMS, **base}, {"methods": methods, "seeds": seeds})


def result(miou, rmse, weights=(1.5, 0.5)):
    classes = {"miou": miou, "pixel_accuracy": 0.5, "iou_error": 100 * (1 - miou)}
    depth = {"rmse": rmse, "abs_error": 1.0, "rel_error": 1.0}
    return Result("finished", 10, 1.0, (1.0, 1.0), (classes, depth), weights, weights)


def test_each_task_alone_and_each_method_on_each_seed():
    study = table()
    members = {member.key: member.spec for member in study.wanted({})}
    names = ("classes alone", "depth alone", "Equal weights", "GradNorm α 1.5")
    assert list(members) == [f"{name}, seed {seed}" for name in names for seed in (1, 2)]
    alone = members["depth alone, seed 2"]
    assert (alone.method.name, alone.method.task, alone.seed, alone.watch_norms) == ("single", 2, 2, False)
    assert study.size == len(members) + 2


def test_gradnorm_static_has_the_mean_weights_of_its_seed():
    study = table()
    ended = {"GradNorm α 1.5, seed 1": result(0.2, 1.0), "GradNorm α 1.5, seed 2": Result("diverged")}
    static = [member for member in study.wanted(ended) if "Static" in member.key]
    assert [member.key for member in static] == ["GradNorm α 1.5, Static, seed 1"]
    assert static[0].spec.method.weights == (1.5, 0.5)
    assert static[0].spec.method.heads == study.wanted({})[-1].spec.method.heads


def test_delta_m_is_a_mean_over_tasks_with_the_sign_of_each_metric():
    # Classes: mIoU 20 % more and pixel accuracy the same; depth: RMSE 30 % less and two errors the same.
    found = {
        "classes alone, seed 1": result(0.20, 9.0),
        "depth alone, seed 1": result(0.9, 2.0),
        "Equal weights, seed 1": result(0.24, 1.4),
        "GradNorm α 1.5, seed 1": result(0.24, 1.4),
    }
    report = table().report(found)
    rows = {row["name"]: row for row in report["rows"]}
    assert list(rows) == ["classes alone", "depth alone", "Equal weights", "GradNorm α 1.5", "GradNorm α 1.5, Static"]
    assert rows["Equal weights"]["delta_m"]["median"] == pytest.approx((20 / 2 + 30 / 3) / 2)
    assert rows["classes alone"]["delta_m"] is None
    assert rows["classes alone"]["metrics"][1] is None
    shown = {(each["task"], each["metric"], each["less"]) for each in report["columns"]}
    assert shown == {("classes", "iou_error", True), ("depth", "rmse", True)}
    lines = markdown(report)
    assert "| classes alone | 80 | – | – |" in lines
    assert "| Equal weights | 76 | 1.4 | +10.0 |" in lines
    assert "| GradNorm α 1.5, Static | – | – | – |" in lines


def test_a_row_whose_single_task_run_is_missing_has_no_delta_m():
    rows = table().report({"Equal weights, seed 1": result(0.2, 1.0)})["rows"]
    assert [row["delta_m"] for row in rows] == [None] * 5


def test_a_table_before_its_first_run_has_all_rows():
    assert len(markdown(table().report({}))) == 3 + 2 + 5


def test_a_ratio_that_makes_no_sense_is_told():
    found = {
        "classes alone, seed 1": result(0.0, 9.0),
        "depth alone, seed 1": result(0.9, 2.0),
        "Equal weights, seed 1": result(0.2, 1.0),
    }
    assert markdown(table(seeds="1").report(found))[-1].startswith("Equal weights: Δm is a mean of ratios, and that of")


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ("equal,equal", "methods should differ. Found 'equal' twice"),
        ("gradnorm,gradnorm:alpha=1.5", "Found 'gradnorm:alpha=1.5' twice"),
        ("equal,best", "should be one of"),
        ("equal:size=64", "size should be the same for all"),
    ],
)
def test_wrong_methods(methods, message):
    with pytest.raises(SpecError, match=message):
        table(methods).wanted({})


def test_no_method():
    with pytest.raises(SpecError, match="methods should name at least one"):
        table(" , ")


def test_it_is_stored_and_read_back():
    study = table("equal,gradnorm:alpha=0.5")
    assert study_of("table", study.model_dump(mode="json")) == study


def test_a_table_of_another_data_set():
    study = TableStudy.parse({"dataset": "diamonds"}, {"methods": "equal", "seeds": "1"})
    assert study.report({})["columns"][0]["metric"] == "r2"


def test_the_size_of_the_paper_s_tables():
    small, full = paper_base("table1", {}), paper_base("table1", {"dataset": "nyuv2"})
    assert (small.dataset.size, small.steps, small.dataset.task_names) == (64, 300, ("classes", "depth", "normals"))
    assert (full.dataset.size, full.steps, full.rate_decay_every, full.batch_size) == (320, 20_000, 6_000, 24)
    second = paper_base("table2", {"dataset": "nyuv2", "layout_file": "layouts.npy", "seed": 3})
    assert (second.steps, second.rate_decay_every, second.network, second.seed) == (80_000, 25_000, "resnet_fcn", 3)
    assert second.dataset.task_names == ("depth", "normals", "keypoints")
    assert paper_base("table2", {"learn_classes": True, "steps": 7}).steps == 7
