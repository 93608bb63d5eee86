"""The method told step by step, on live runs."""

from gradnorm.ui.lesson.page import lesson

lesson()
