"""What trading costs and what the account allows, for whatever is tried without money."""

import msgspec
import numpy as np
from numpy.typing import NDArray


class Terms(msgspec.Struct, frozen=True):
    """What trading costs and what the account allows. No gene changes any of it."""

    spread: float = 0.0002  # half spread and slippage, fraction of price
    commission: float = 0.0001  # fraction of notional
    max_weight: float = 0.20
    max_gross: float = 0.99
    order_band: float = 0.01  # fraction of equity: the rebalance's own band
    min_trade: float = 100.0  # money
    initial: float = 1_000_000.0  # money
    exposures: str = "long_only"
    per_year: float = 252.0

    @property
    def array(self) -> NDArray[np.float64]:
        """Return them as the kernel takes them."""
        return np.array(
            [
                self.spread,
                self.commission,
                self.max_weight,
                self.max_gross,
                self.order_band,
                self.min_trade,
                self.initial,
            ]
        )
