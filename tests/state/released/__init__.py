"""A journal of every released schema, as it was left with an order open, to be lifted and read."""
