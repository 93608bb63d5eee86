"""Weighting methods: arithmetic on vectors of length T, with no state of its own. One file for each method."""
