"""Per-task gradients and norms at the shared layer."""
