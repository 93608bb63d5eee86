"""Weighting methods: pure arithmetic on vectors of length T. One file a method, found by discovery."""
