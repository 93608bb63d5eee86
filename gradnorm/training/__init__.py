"""One run: from a spec to records."""
