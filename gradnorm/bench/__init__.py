"""Named benchmarks: each a module with `run() -> dict`, printed by `python -m gradnorm bench NAME --json -`."""
