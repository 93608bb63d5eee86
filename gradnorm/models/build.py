"""The network of a run."""

from __future__ import annotations

from torch import nn

from gradnorm.config.spec import RunSpec
from gradnorm.datasets.base import Source
from gradnorm.datasets.problems.base import Problem
from gradnorm.models.cnn import CNN
from gradnorm.models.field import Field
from gradnorm.models.landmarks import LandmarkNetwork
from gradnorm.models.mlp import MLP
from gradnorm.models.resnet_fcn import ResNetFCN
from gradnorm.models.segnet import SegNet


def build(spec: RunSpec, source: Source | None) -> nn.Module:
    """Return a new network for a run, on the CPU, with its initial parameters: a `Network`, or that of a problem.

    spec: names the network, or "auto" for the data set's first one, and its size and seed.
    source: gives the shape of the inputs and the tasks; a problem needs none.
    Raises what the network raises, such as ValueError for no task.
    """
    if isinstance(spec.dataset, Problem):
        return _of_problem(spec, spec.dataset)
    assert source is not None, "Only a problem needs no data for its network"
    name = spec.dataset.networks[0] if spec.network == "auto" else spec.network
    if name == "mlp":
        return MLP(
            source.shape[0],
            source.tasks,
            width=spec.width,
            depth=spec.depth,
            initialization=spec.initialization,
            seed=spec.seed,
        )
    if name == "cnn":
        return CNN(source.shape, source.tasks, width=spec.channels, seed=spec.seed)
    if name == "landmarks":
        size = 160 if source.shape[1] == 160 else 40
        return LandmarkNetwork(size, source.shape[0], source.tasks, width=spec.channels, seed=spec.seed)
    dense = SegNet if name == "segnet" else ResNetFCN
    outputs = [task.outputs for task in source.tasks]
    return dense(outputs, width=spec.channels, stride=source.stride, seed=spec.seed)


def _of_problem(spec: RunSpec, problem: Problem) -> nn.Module:
    own = problem.network(spec.seed)
    if own is not None:
        return own
    return Field(
        *problem.shape,
        width=spec.width,
        depth=spec.depth,
        initialization=spec.initialization,
        seed=spec.seed,
    )
