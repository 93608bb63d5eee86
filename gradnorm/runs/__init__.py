"""Recorded runs: what a record is and where it is kept."""
