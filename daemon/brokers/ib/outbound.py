"""What an order of ours is on the wire: contract and order, or why it can't go as it is."""

import ib_async

from daemon.brokers.ib.contracts import Contracts
from daemon.brokers.ib.orders import OrderUnsendable, outgoing
from daemon.brokers.ib.ways import Route
from daemon.seams import Clock
from state.order import Order


class Outbound:
    """Makes what goes out, from the contracts that are known by then; `read_only`: nothing does."""

    def __init__(
        self, contracts: Contracts, account: str, clock: Clock, *, read_only: bool, route: Route
    ) -> None:
        self._contracts, self._account, self._clock = contracts, account, clock
        self._read_only, self._route = read_only, route

    def of(self, order: Order) -> tuple[ib_async.Contract, ib_async.Order]:
        """Return what to order by, and the order; raise OrderUnsendable."""
        if self._read_only:
            raise OrderUnsendable("ib.read_only is set, so nothing is sent")
        listed = self._contracts.listed.get(order.symbol)
        if listed is None:
            raise OrderUnsendable(self._contracts.why_not(order.symbol))
        instrument = listed.at(order.limit_price)
        if instrument.whole_lots(order.quantity) != order.quantity:
            raise OrderUnsendable(
                f"{order.quantity} of {order.symbol} is no multiple of {instrument.lot}, the "
                "gateway's lot; set the instrument's lot to it"
            )
        plain = outgoing(order, instrument, self._account, "DAY")
        return listed.contract, self._route(order, plain, self._clock.wall())
