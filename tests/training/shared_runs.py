"""Trains small dense networks in float64, with masks that differ from process to process. Run by `test_processes.py`.

`python shared_runs.py FOLDER`, or by torchrun: each process then has its part of every batch.
"""

import sys
from pathlib import Path

import torch
from torch import distributed, nn

from gradnorm.balancer.balancer import Balancer
from gradnorm.config.spec import RunSpec
from gradnorm.datasets.base import Batch, Source, Task
from gradnorm.models.maps import DenseNetwork
from gradnorm.runs.records import StepRecord
from gradnorm.training.autograd_stepper import AutogradStepper
from gradnorm.training.run import Run

STEPS, ROWS, SIDE = 40, 5, 8
WAYS = {
    "closed": {"method": "gradnorm", "update": "closed", "heads": "own"},
    "log": {"method": "gradnorm", "update": "log", "heads": "weighted"},
    "adam": {"method": "gradnorm", "update": "adam", "heads": "weighted", "optimizer": "adam"},
    "uncertainty": {"method": "uncertainty"},
    "pcgrad": {"method": "pcgrad"},
}


class Masked(Source):
    """Pictures whose last rows have far fewer known pixels than the first ones."""

    tasks = (Task("classes", "segmentation", 3), Task("depth", "depth", 1), Task("normals", "normals", 3))

    def __init__(self):
        self.test = self.batch(0, ROWS)

    def batch(self, step, size):
        random = torch.Generator().manual_seed(step)
        shape = (size, SIDE, SIDE)
        known = torch.rand(shape, generator=random) < torch.linspace(0.9, 0.1, size)[:, None, None]
        classes = torch.randint(3, shape, generator=random).where(known, -1)
        depth = (1 + torch.rand(shape, generator=random).double()).where(known, 0)[:, None]
        normals = nn.functional.normalize(torch.randn(size, 3, SIDE, SIDE, generator=random).double(), dim=1)
        if step % 5 == 3:  # the first process has no depth
            depth[: size // 2] = 0
        if step % 7 == 4:  # nobody has normals
            normals = normals * 0
        inputs = torch.randn(size, 3, SIDE, SIDE, generator=random).double()
        return Batch(inputs, (classes, depth, normals * known[:, None]))


def trained(changes):
    """Return the weights, the losses and the parameters after each step."""
    base = {"dataset": "rooms", "steps": STEPS, "batch_size": ROWS, "learning_rate": 0.01, "schedule": "constant"}
    spec, source = RunSpec.parse({**base, "optimizer": "sgd", **changes}), Masked()
    trunk = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())
    nn.init.constant_(trunk[0].bias, 0.1)
    trunk[0].weight.data = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(1)) / 3
    model = DenseNetwork(trunk, 4, [task.outputs for task in source.tasks], "small", 1).double()
    kinds = [task.kind for task in source.tasks]
    balancer = Balancer([task.name for task in source.tasks], spec.method, kinds=kinds, watch_norms=True)
    run = Run(spec, source, model, balancer, source.test, torch.device("cpu"), (), ())
    stepper = AutogradStepper(run)
    found = []
    for _ in range(STEPS):
        (record,) = stepper.step()
        assert isinstance(record, StepRecord), record
        parameters = nn.utils.parameters_to_vector(model.parameters()).detach().clone()
        losses = torch.tensor(record.losses, dtype=torch.float64)
        found.append((balancer.weights, losses, parameters))
    stepper.close()
    return [torch.stack(each) for each in zip(*found, strict=True)]


if __name__ == "__main__":
    rank = 0
    if distributed.is_torchelastic_launched():
        distributed.init_process_group("gloo")
        rank = distributed.get_rank()
    torch.save({name: trained(changes) for name, changes in WAYS.items()}, Path(sys.argv[1]) / f"{rank}.pt")
    if distributed.is_initialized():
        distributed.destroy_process_group()
