"""Experiments of the paper, repeated."""
