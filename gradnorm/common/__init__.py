"""What every other room may use: declarations, discovery, random streams, shapes."""
