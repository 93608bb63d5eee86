"""Conflict-averse gradient descent (Liu, Liu, Jin, Stone, Liu: NeurIPS 2021, arXiv:2110.14048)."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from gradnorm.methods.surgery import GramianMethod, Weighting


class ConflictAverse(GramianMethod):
    """The direction within c·‖mean gradient‖ of the mean gradient that helps the worst task most (Algorithm 1)."""

    name: ClassVar[str] = "cagrad"
    title: ClassVar[str] = "CAGrad"
    summary: ClassVar[str] = "Helps the worst-off task as much as a ball around the mean gradient allows."
    citation: ClassVar[str] = (
        "@inproceedings{liu2021conflict, title={Conflict-Averse Gradient Descent for Multi-task Learning}, author="
        "{Liu, Bo and Liu, Xingchao and Jin, Xiaojie and Stone, Peter and Liu, Qiang}, booktitle={NeurIPS}, "
        "year={2021}}"
    )

    c: float = Field(
        0.5, ge=0, le=1, title="Radius c", description="Of the ball around the mean gradient. 0 is the mean gradient."
    )

    def weighting(self) -> Weighting:
        """Return TorchJD's."""
        from torchjd.aggregation import CAGradWeighting

        return CAGradWeighting(c=self.c)
