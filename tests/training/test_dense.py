"""The full networks for maps learn rendered rooms through the engine; at the paper's picture size in the long form."""

import pytest

from gradnorm.config.spec import RunSpec
from gradnorm.runs.records import Evaluation, StepRecord
from gradnorm.training.engine import train

# At the paper's width: what a batch of two at 320 × 320 asks of the processor is what is tried.
FULL = {
    "dataset": "rooms",
    "count": 16,
    "output_stride": "4",
    "channels": 1.0,
    "batch_size": 2,
    "steps": 20,
    "eval_every": 20,
    "checkpoint_every": 0,
    "method": "gradnorm",
    "optimizer": "adam",
    "device": "cpu",
    "threads": 2,
}


@pytest.mark.slow
@pytest.mark.parametrize("network", ["segnet", "resnet_fcn"])
@pytest.mark.parametrize("size", [96, pytest.param(320, marks=pytest.mark.long)])
def test_a_full_network_takes_steps_and_its_test_loss_falls(network, size):
    items = list(train(RunSpec.parse({**FULL, "network": network, "size": size, "learning_rate": 1e-4})))
    assert (items[-1].kind, items[-1].message) == ("finished", "Finished all 20 steps.")
    steps = [item for item in items if isinstance(item, StepRecord)]
    assert [step.step for step in steps] == list(range(1, 21))
    assert all(norm > 0 for step in steps for norm in step.gradient_norms)
    first, last = (item for item in items if isinstance(item, Evaluation))
    assert (first.step, last.step) == (0, 20)
    assert last.task_normalized_loss < 0.9 * first.task_normalized_loss
