"""Losses and test metrics, pooled over the whole set."""

from gradnorm.metrics.evaluation import constant_losses, constant_metrics, evaluate
from gradnorm.metrics.losses import known, task_loss, task_losses
from gradnorm.metrics.solution import evaluate_problem

__all__ = ["constant_losses", "constant_metrics", "evaluate", "evaluate_problem", "known", "task_loss", "task_losses"]
