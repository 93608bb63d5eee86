"""Runs trained on other machines: leases go out through a shared folder, and their records come back through it."""
