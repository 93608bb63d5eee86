"""A weighting method bound to a network: what a library user holds."""

from gradnorm.balancer.balancer import Balancer, GradNorm

__all__ = ["Balancer", "GradNorm"]
