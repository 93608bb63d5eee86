"""The losses of a problem at its test points, and how far its solution is from what is wanted."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gradnorm.datasets.problems.base import Problem


def evaluate_problem(problem: Problem, model: nn.Module, points: Tensor) -> tuple[list[float], list[dict[str, float]]]:
    """Return each term's loss at the test points, and each term's metrics: the error of the one solution.

    points: what `Problem.test_points` returned, on the network's device.
    """
    # A problem may differentiate its network within the losses, so there are gradients here.
    with torch.enable_grad():
        losses = [float(loss.detach()) for loss in problem.losses(model, points)]
    with torch.no_grad():
        error = problem.error(model)
    return losses, [{} if error is None else {problem.metric: error} for _ in losses]
