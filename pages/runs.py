"""All runs of this home: open, download, delete."""

from gradnorm.ui.catalogue import catalogue

catalogue()
