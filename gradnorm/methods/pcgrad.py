"""PCGrad (Yu, Kumar, Gupta, Levine, Hausman, Finn: NeurIPS 2020, arXiv:2001.06782)."""

from __future__ import annotations

from typing import ClassVar

from numpy.random import Generator

from gradnorm.common.shapes import Gramian, PerTask
from gradnorm.methods.surgery import GramianMethod, cosines


class ProjectedConflicts(GramianMethod):
    """Remove from each gradient its conflict with the others, and sum.

    For each other task j, in random order: g_i ← g_i − (g_i·g_j/‖g_j‖²) g_j if g_i·g_j < 0 (Algorithm 1 of the
    paper). The weights apply to the shared parameters alone.

    Paper: Yu, Kumar, Gupta, Levine, Hausman, Finn, "Gradient Surgery", NeurIPS 2020 (arXiv:2001.06782).

    >>> import torch
    >>> from gradnorm import Balancer
    >>> shared = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    >>> losses = [(shared * torch.tensor(direction)).sum() for direction in ([3.0, 0.0], [0.0, 1.0])]
    >>> balance = Balancer(2, ProjectedConflicts()).backward(losses, shared=shared, trunk=[shared])
    >>> balance.weights  # orthogonal gradients do not conflict
    tensor([1., 1.])
    """

    name: ClassVar[str] = "pcgrad"
    title: ClassVar[str] = "PCGrad"
    summary: ClassVar[str] = "Removes from each gradient its component against those that it conflicts with."
    citation: ClassVar[str] = (
        "@inproceedings{yu2020gradient, title={Gradient Surgery for Multi-Task Learning}, author={Yu, Tianhe and "
        "Kumar, Saurabh and Gupta, Abhishek and Levine, Sergey and Hausman, Karol and Finn, Chelsea}, "
        "booktitle={NeurIPS}, year={2020}}"
    )

    def weigh(self, gramian: Gramian, random: Generator) -> PerTask:
        """Return the sum of the projected gradients in terms of all gradients; arguments as in the base class."""
        norms, C = cosines(gramian)
        projected = norms.diag()  # row i: g_i in units of the unit gradients
        for i, row in enumerate(projected):
            for j in random.permutation(len(norms)):
                if j != i and (conflict := C[j] @ row) < 0:
                    row[j] -= conflict
        return projected.sum(0) / norms
