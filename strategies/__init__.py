"""What we want: pure functions from prices to target weights."""
