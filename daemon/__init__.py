"""What runs: the process, its adapters to the world, and the single writer."""
