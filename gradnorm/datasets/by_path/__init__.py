"""Data sets read from a path, one file each."""
