"""Losses and test metrics, pooled over the whole set."""

from gradnorm.metrics.evaluation import constant_losses, evaluate
from gradnorm.metrics.losses import task_loss, task_losses

__all__ = ["constant_losses", "evaluate", "task_loss", "task_losses"]
