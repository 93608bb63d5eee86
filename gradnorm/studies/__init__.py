"""Named groups of runs that answer one question: which α, which fixed weights, how far a random search gets."""
