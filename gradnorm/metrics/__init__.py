"""Losses and test metrics, pooled over the whole set."""

from gradnorm.metrics.evaluation import constant_losses, constant_metrics, evaluate
from gradnorm.metrics.losses import known, task_loss, task_losses

__all__ = ["constant_losses", "constant_metrics", "evaluate", "known", "task_loss", "task_losses"]
