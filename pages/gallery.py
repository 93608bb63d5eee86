"""What networks answer on test pictures, beside the truth."""

from gradnorm.ui.gallery import gallery

gallery()
