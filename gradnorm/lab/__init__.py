"""The training server: queue, worker threads, resume and fork."""
