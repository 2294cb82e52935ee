"""Market data of Interactive Brokers: closes from its history, quotes from its stream."""
