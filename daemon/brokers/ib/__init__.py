"""Interactive Brokers behind the broker's seam. Nothing of ib_async's leaves this package."""
