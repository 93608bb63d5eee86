"""All runs of this home: open, download, delete."""

from gradnorm.ui.runs.page import catalogue

catalogue()
