"""What the gallery shows of a checkpoint is what the run's own network answered."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gradnorm.config.spec import RunSpec
from gradnorm.datasets.base import Batch
from gradnorm.datasets.builtin.overlay import Overlay
from gradnorm.datasets.by_path.mtfl import Mtfl
from gradnorm.methods.equal import EqualWeights
from gradnorm.runs.records import Checkpoint, Evaluation
from gradnorm.training.engine import train
from gradnorm.training.predict import PictureShowcase, PredictionError
from tests.boxes import SIZE, TEST, Boxes, BoxSource
from tests.factories import TINY

QUICK = {
    "method": EqualWeights(),
    "optimizer": "adam",
    "steps": 3,
    "batch_size": 2,
    "checkpoint_every": 3,
    "eval_every": 3,
    "device": "cpu",
}
SPEC = RunSpec(dataset=Boxes(), channels=0.06, learning_rate=0.01, **QUICK)


@pytest.fixture(scope="module")
def trained():
    """Showcase, network and the run's own last evaluation."""
    items = list(train(SPEC))
    checkpoint = [item for item in items if isinstance(item, Checkpoint)][-1]
    evaluation = [item for item in items if isinstance(item, Evaluation)][-1]
    assert checkpoint.step == evaluation.step == 3
    shown = PictureShowcase(BoxSource(0))
    return shown, shown.network(SPEC, checkpoint), evaluation


def test_losses_and_metrics_of_all_pictures_give_the_run_s_evaluation(trained):
    shown, network, evaluation = trained
    # Each picture has as many known pixels as every other, so pooled means are means of the pictures'.
    rows = [shown.answers(network, i) for i in range(len(shown))]
    assert len(rows) == TEST
    losses = np.array([[answer.loss for answer in row] for row in rows]).mean(0)
    assert losses == pytest.approx(evaluation.losses, rel=1e-4)
    _, depth, normals, keypoints = evaluation.metrics
    squares = [row[1].metrics["rmse"] ** 2 for row in rows]
    assert math.sqrt(np.mean(squares)) == pytest.approx(depth["rmse"], rel=1e-4)
    assert np.mean([row[2].metrics["angle_mean"] for row in rows]) == pytest.approx(normals["angle_mean"], rel=1e-3)
    assert np.mean([row[3].metrics["point_error"] for row in rows]) == pytest.approx(keypoints["point_error"], rel=1e-3)


def test_errors_follow_from_the_arrays(trained):
    shown, network, _ = trained
    classes, depth, normals, keypoints = shown.answers(network, 4)
    known = classes.truth >= 0
    assert known.sum() == SIZE * SIZE * 15 // 16
    right = (classes.truth == classes.answer)[known].mean()
    assert classes.metrics["pixel_accuracy"] == pytest.approx(right)
    gap = depth.answer - depth.truth
    assert (np.isnan(gap) == ~known).all()
    assert depth.metrics["rmse"] == pytest.approx(np.sqrt(np.nanmean(gap**2)), rel=1e-5)
    cosine = (normals.answer * normals.truth).sum(-1)[known]
    assert np.isnan(normals.truth[~known]).all()
    assert normals.loss == pytest.approx(1 - cosine.mean(), rel=1e-4)
    assert np.linalg.norm(normals.answer, axis=-1) == pytest.approx(np.ones((SIZE, SIZE)), abs=1e-5)
    there = ~np.isnan(keypoints.truth).any(1)
    assert there.tolist() == [False, True, True, True, True, False]
    away = np.linalg.norm(keypoints.answer - keypoints.truth, axis=1)[there].mean()
    assert keypoints.metrics["point_error"] == pytest.approx(100 * away / math.sqrt(2), rel=1e-5)


def test_asking_changes_nothing(trained):
    shown, network, _ = trained
    before = [tensor.clone() for tensor in network.state_dict().values()]
    first = shown.answers(network, 0)
    shown.answers(network, 1)
    again = shown.answers(network, 0)
    assert all((a.answer == b.answer).all() for a, b in zip(first, again, strict=True))
    # Batch normalisation would move its averages in training.
    assert all(torch.equal(a, b) for a, b in zip(before, network.state_dict().values(), strict=True))
    assert not network.training


def test_the_picture_is_the_test_set_s(trained):
    shown, _, _ = trained
    source = BoxSource(0)
    assert (shown.picture(2) == source.test.inputs[2].permute(1, 2, 0).numpy()).all()


@pytest.mark.slow
@pytest.mark.parametrize("units", ["raw", "centred", "standardised"])
def test_a_reconstruction_is_a_picture_again_in_every_unit(units):
    dataset = Overlay(units=units)
    spec = RunSpec(dataset=dataset, channels=0.1, **QUICK)
    checkpoint = [item for item in train(spec) if isinstance(item, Checkpoint)][-1]
    shown = PictureShowcase(dataset.load(0))
    network = shown.network(spec, checkpoint)
    digit, garment, ink, again = shown.answers(network, 7)
    assert [a.view for a in (digit, garment, ink, again)] == [
        "classification",
        "classification",
        "regression",
        "picture",
    ]
    assert (again.truth == shown.picture(7)).all()
    assert again.answer.shape == (36, 36, 1)
    # Back in the task's unit by hand: shades of grey of 0 … 255, cut off at both ends.
    raw = network(torch.as_tensor(shown.picture(7)).movedim(-1, 0)[None])[3].detach().numpy().reshape(36, 36)
    if units == "raw":
        assert again.answer[..., 0] == pytest.approx((raw * 255).round().clip(0, 255), abs=1)
    assert digit.answer.sum() == pytest.approx(1, abs=1e-5)
    assert digit.loss == pytest.approx(-math.log(digit.answer[int(digit.truth)]), rel=1e-4)
    assert ink.loss == pytest.approx(((ink.answer - ink.truth) ** 2).item(), rel=1e-4)


def test_a_regression_onto_something_else_of_that_size_is_no_picture():
    source = Overlay().load(0)
    *others, target = source.test.targets
    source.test = Batch(source.test.inputs, (*others, target.flip(1)))
    shown = PictureShowcase(source)
    spec = RunSpec(dataset=Overlay(), channels=0.1, **QUICK)
    checkpoint = [item for item in train(spec) if isinstance(item, Checkpoint)][-1]
    assert shown.answers(shown.network(spec, checkpoint), 0)[3].view == "regression"


def test_a_checkpoint_of_another_network_is_told(trained):
    shown, _, _ = trained
    wider = SPEC.model_copy(update={"channels": 0.1})
    checkpoint = [item for item in train(wider) if isinstance(item, Checkpoint)][-1]
    with pytest.raises(PredictionError, match=r"step 3 should fit the run's network\. Found .* Train the run again"):
        shown.network(SPEC, checkpoint)


def test_vectors_are_no_pictures():
    source = RunSpec.parse(TINY).dataset.load(0)
    with pytest.raises(PredictionError, match=r"should be pictures\. Found vectors of 250"):
        PictureShowcase(source)


def test_missing_data_are_told_as_such(tmp_path):
    # What the page catches when a run's data are no longer where they were.
    with pytest.raises(ValueError, match="below"):
        PictureShowcase(Mtfl(path=str(tmp_path / "gone")).load(0))
