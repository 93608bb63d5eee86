"""Data sets that come in the box, one file each."""
