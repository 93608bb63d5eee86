"""What networks answer on test pictures, beside the truth."""

from gradnorm.ui.gallery.page import gallery

gallery()
