"""The shipped daemon on a virtual clock, under seeded faults, judged by what the world saw."""
