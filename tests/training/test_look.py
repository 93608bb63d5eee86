"""What pages show of a network's answers: curves of the toy, words and numbers of a few test examples."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gradnorm.config.spec import RunSpec, datasets
from gradnorm.datasets.base import Batch, Source, Task
from gradnorm.datasets.builtin.toy import INPUTS, Toy
from gradnorm.training.look import look

FIXED = [
    ("toy", True),
    ("diamonds", True),
    ("digits", True),
    ("overlay", True),
    ("rooms", False),
    ("helmholtz", False),
    ("table", True),
    ("sarcos", False),
]


@pytest.mark.parametrize(("name", "able"), FIXED)
def test_answers_that_are_maps_are_left_to_the_gallery(name, able):
    assert datasets()[name].model_validate({}).plain_answers is able


def test_the_toy_is_drawn_along_the_line_through_its_first_test_example():
    source = Toy(sigmas=(1.0, 10.0)).load(0)
    line = source.line([0.0, 1.0])
    assert line.inputs.shape == (2, INPUTS)
    for truth, known in zip(line.targets, source.test.targets, strict=True):
        assert torch.equal(truth[0], torch.zeros_like(truth[0]))
        assert torch.allclose(truth[1], known[0], atol=1e-4)


def test_a_network_that_answers_right_is_not_off_and_one_that_says_0_is_off_by_all():
    source = Toy(sigmas=(1.0, 10.0)).load(0)
    seen = look(source, lambda inputs: [torch.tanh(inputs @ source._teacher[:, :100]), torch.zeros(len(inputs), 100)])
    assert seen["kind"] == "curves"
    assert [curve["off"] for curve in seen["curves"]] == [0.0, 1.0]
    assert seen["curves"][0]["truth"] == seen["curves"][0]["answer"]
    assert len(seen["curves"][1]["truth"]) == 49


def test_noise_is_no_function_of_the_inputs():
    source = Toy(tasks=2, sigmas=(1.0, 1.0), noise=1).load(0)
    assert source.line([0.0]) is None
    seen = look(source, lambda inputs: [target[: len(inputs)] + 3 for target in source.test.targets])
    assert seen["rows"][0]["cells"][0] == {"truth": "100 numbers", "answer": "off by 3"}


class Two(Source):
    """Four pictures with a class and a number each."""

    def __init__(self) -> None:
        self.tasks = (
            Task("kind", "classification", 2, classes=("cat", "dog")),
            Task("size", "regression", 1, unit="m"),
        )
        pictures = torch.arange(4 * 1 * 2 * 3).to(torch.uint8).reshape(4, 1, 2, 3)
        self.test = Batch(pictures, (torch.tensor([0, 1, 1, 0]), torch.tensor([[1.0], [2.0], [3.0], [4.0]])))

    def batch(self, step, size):
        raise NotImplementedError


def test_examples_are_told_in_words_and_numbers_beside_their_picture():
    logits = torch.tensor([0.9, 0.1]).log().repeat(4, 1)
    seen = look(Two(), lambda inputs: [logits, torch.full((4, 1), 1.5)])
    assert seen["kind"] == "rows"
    second = seen["rows"][1]
    assert second["cells"] == [{"truth": "dog", "answer": "cat (90%)"}, {"truth": "2 m", "answer": "1.5 m"}]
    picture = second["picture"]
    assert (picture["height"], picture["width"], picture["channels"]) == (2, 3, 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["diamonds", "digits", "overlay"])
def test_builtin_data_can_be_looked_at(name):
    source = RunSpec.parse({"dataset": name}).dataset.load(0)
    seen = look(source, lambda inputs: [torch.zeros(len(inputs), task.outputs) for task in source.tasks])
    assert [len(row["cells"]) for row in seen["rows"]] == [len(source.tasks)] * 6
    assert (seen["rows"][0]["picture"] is not None) == (name == "overlay")
    assert np.all([cell["truth"] for row in seen["rows"] for cell in row["cells"]])
