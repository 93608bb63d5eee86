"""Any runs side by side: curves, scores over seeds, and what their settings differ in."""

from gradnorm.ui.compare.page import compare

compare()
