"""Losses and test metrics, pooled over the whole set."""

from gradnorm.metrics.evaluation import constant_losses, evaluate
from gradnorm.metrics.losses import known, task_loss, task_losses

__all__ = ["constant_losses", "evaluate", "known", "task_loss", "task_losses"]
