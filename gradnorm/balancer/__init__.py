"""A weighting method bound to a network: what a library user holds."""

from gradnorm.balancer.balancer import Balancer
from gradnorm.balancer.gradnorm import GradNorm

__all__ = ["Balancer", "GradNorm"]
