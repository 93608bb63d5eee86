"""PCGrad (Yu, Kumar, Gupta, Levine, Hausman, Finn: NeurIPS 2020, arXiv:2001.06782)."""

from __future__ import annotations

from typing import ClassVar

from gradnorm.methods.surgery import GramianMethod, Weighting


class ProjectedConflicts(GramianMethod):
    """Project each gradient off the others it conflicts with, in random order, and sum them (Algorithm 1)."""

    name: ClassVar[str] = "pcgrad"
    title: ClassVar[str] = "PCGrad"
    summary: ClassVar[str] = "Projects each gradient off those that it conflicts with."
    citation: ClassVar[str] = (
        "@inproceedings{yu2020gradient, title={Gradient Surgery for Multi-Task Learning}, author={Yu, Tianhe and "
        "Kumar, Saurabh and Gupta, Abhishek and Levine, Sergey and Hausman, Karol and Finn, Chelsea}, "
        "booktitle={NeurIPS}, year={2020}}"
    )

    def weighting(self) -> Weighting:
        """Return TorchJD's."""
        from torchjd.aggregation import PCGradWeighting

        return PCGradWeighting()
