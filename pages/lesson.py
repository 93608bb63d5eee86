"""GradNorm explained step by step, with small networks to train."""

from gradnorm.ui.lesson.page import lesson

lesson()
