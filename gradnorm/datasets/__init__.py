"""Data sets, one file each, found by discovery in `builtin/` and `by_path/`."""
