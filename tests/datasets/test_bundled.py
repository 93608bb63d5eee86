"""Bikes and overlay: what is in the files, and pictures made anew by hand."""

import gzip

import numpy as np
import pandas as pd
import pytest
import torch

from gradnorm.datasets.builtin.bikes import Bikes
from gradnorm.datasets.builtin.overlay import GARMENTS, TRAIN, Overlay
from gradnorm.datasets.tabular.table import FILES


def test_bikes_are_the_hours_of_a_year():
    source = Bikes().load(0)
    casual, registered, weather = source.test.targets
    assert source.shape == (12 + 24 + 7 + 6,)
    assert 72 * 24 - 60 <= len(casual) <= 73 * 24
    whole = [torch.cat([target, source.batch(1, 20_000).targets[i]]) for i, target in enumerate((casual, registered))]
    assert [float(t.max()) for t in whole] == [272, 567]
    assert set(weather.tolist()) <= {0, 1, 2, 3}
    assert float((weather == 0).float().mean()) == pytest.approx(5645 / 8645, abs=0.04)


def idx(name, header, *shape):
    return np.frombuffer(gzip.open(FILES / name).read()[header:], np.uint8).reshape(-1, *shape)


def test_each_picture_of_overlay_holds_one_digit_and_one_garment():
    digits, garments = (idx(f"{name}-t10k-images-idx3-ubyte.gz", 16, 28, 28) for name in ("mnist", "fashion"))
    labels = [idx(f"{name}-t10k-labels-idx1-ubyte.gz", 8) for name in ("mnist", "fashion")]
    batch = Overlay().load(5).batch(2, 3)
    for picture, digit, garment in zip(batch.inputs[:, 0].numpy(), *batch.targets[:2], strict=True):
        # Some digit of the class, somewhere, is nowhere stronger than the picture; and so some garment.
        for images, classes, label, first in ((digits, labels[0], digit, 0), (garments, labels[1], garment, 4)):
            inside = images[:TRAIN][classes[:TRAIN] == int(label)]
            places = [(y, x) for y in range(first, first + 5) for x in range(first, first + 5)]
            assert any((inside <= picture[y : y + 28, x : x + 28]).all((1, 2)).any() for y, x in places)


@pytest.mark.slow
def test_ink_is_the_sum_of_the_reconstruction_and_both_are_the_picture():
    batch = Overlay().load(1).batch(3, 7)
    _, _, ink, reconstruction = batch.targets
    torch.testing.assert_close(reconstruction, batch.inputs.flatten(1).float() / 255)
    torch.testing.assert_close(ink[:, 0], reconstruction.sum(1))


@pytest.mark.parametrize(("units", "deviation"), [("centred", None), ("standardised", 1.0)])
def test_units_of_overlay(units, deviation):
    raw, source = Overlay().load(0), Overlay(units=units).load(0)
    ink = source.test.targets[2]
    assert abs(float(ink.mean())) < 0.2 * float(ink.std())
    assert float(ink.std()) == pytest.approx(deviation or float(raw.test.targets[2].std()), rel=0.05)


def test_scaled_outputs_of_centred_targets_begin_at_the_mean():
    task = Overlay(units="centred", output_scale=True).load(0).tasks[2]
    assert task.center == (0.0,)
    assert task.scale[0] > 50


def test_training_and_test_pictures_are_of_different_sources():
    source = Overlay().load(0)
    assert source.shape == (1, 36, 36)
    assert len(source.test.inputs) == 2_000
    assert len(GARMENTS) == source.tasks[1].outputs == 10
    seen = {bytes(p.numpy().tobytes()) for p in source.batch(1, 200).inputs}
    assert not seen & {bytes(p.numpy().tobytes()) for p in source.test.inputs}


def test_no_day_of_bikes_is_both_learnt_and_tested():
    table = pd.read_csv(FILES / "bikeshare.csv.gz")
    # The temperature of an hour, the date's month and the weekday tell most days apart.
    source = Bikes().load(0)
    trained = {tuple(row) for row in source.batch(1, 30_000).inputs.tolist()}
    tested = [tuple(row) for row in source.test.inputs.tolist()]
    assert len(tested) + len(trained) <= len(table)
    assert sum(row in trained for row in tested) < 0.01 * len(tested)
