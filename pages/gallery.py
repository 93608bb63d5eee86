"""Predictions on test pictures, beside the ground truth."""

from gradnorm.ui.gallery.page import gallery

gallery()
