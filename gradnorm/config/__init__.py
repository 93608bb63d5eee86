"""What defines a run: its spec, the options made from it, and specs derived from specs."""
