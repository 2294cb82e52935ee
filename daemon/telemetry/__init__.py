"""What the daemon says of itself to whoever listens."""
