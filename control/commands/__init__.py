"""One file per command: what it asks, and how its answer reads."""
