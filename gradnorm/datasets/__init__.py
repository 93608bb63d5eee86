"""Data sets: one file each, found by discovery. `files/` holds the small bundled ones."""
