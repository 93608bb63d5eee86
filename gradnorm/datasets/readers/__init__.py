"""Readers of other people's files: each format is checked before it is read."""
