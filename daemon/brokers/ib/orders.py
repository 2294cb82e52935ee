"""Orders, ours to the gateway's and back."""

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final, Literal

import ib_async
from ib_async.util import UNSET_DOUBLE

from daemon.brokers.ib.executions import exact
from daemon.seams import BrokerOrder
from state.instrument import EXACT, Instrument, Symbol, money
from state.order import Order

ROUTE: Final = "SMART"
Status = Literal["open", "filled", "cancelled", "rejected"]
ENDS: Final[dict[str, Status]] = {
    "Filled": "filled",
    "Cancelled": "cancelled",
    "ApiCancelled": "cancelled",
}


class OrderUnsendable(ValueError):
    """An order can't be put on the wire as it is; nothing was sent."""


def outgoing(order: Order, instrument: Instrument, account: str, tif: str) -> ib_async.Order:
    """Return the order for the wire: under the journal's id and reference, nothing left to presets.

    The limit goes to the tick that costs us no more, the quantity to whole lots toward zero. Raises
    OrderUnsendable.
    """
    if order.broker_oid is None:
        raise OrderUnsendable(f"order {order.order_id} has no broker order id; claim it first")
    quantity = instrument.whole_lots(order.quantity)
    if not quantity:
        raise OrderUnsendable(
            f"order {order.order_id} of {order.quantity} is less than one lot of {instrument.lot}"
        )
    sent = ib_async.Order(
        orderId=order.broker_oid,
        orderRef=order.order_ref,
        account=account,
        action="BUY" if quantity > 0 else "SELL",
        totalQuantity=float(abs(quantity)),
        orderType="MKT",
        tif=tif,
    )
    if order.limit_price is not None:
        sent.orderType = "LMT"
        sent.lmtPrice = float(on_tick(order.limit_price, instrument.tick, buys=quantity > 0))
    return sent


def on_tick(price: Decimal, tick: Decimal, *, buys: bool) -> Decimal:
    """Return `price` at a tick: down for a purchase, up for a sale. Raises OrderUnsendable."""
    side = ROUND_FLOOR if buys else ROUND_CEILING
    ticks = EXACT.divide(price, tick).to_integral_value(rounding=side)
    if ticks <= 0:
        raise OrderUnsendable(f"the limit {price} is less than one tick of {tick}")
    return money(EXACT.multiply(ticks, tick))


def contract(instrument: Instrument, con_id: int) -> ib_async.Contract:
    """Return the contract to order by: our own, for that of a position has no exchange."""
    return ib_async.Stock(
        instrument.symbol, exchange=ROUTE, currency=instrument.currency, conId=con_id
    )


def incoming(
    trade: ib_async.Trade,
    *,
    completed: bool,
    name: Callable[[ib_async.Contract], Symbol],
) -> BrokerOrder:
    """Return an order as the gateway's own list has it; local guesses of its end don't count.

    Only the completed list ends an order; a completed one has its count in the order itself.
    """
    order, said = trade.order, trade.orderStatus
    status: Status = ENDS.get(said.status, "rejected") if completed else "open"
    if not completed and said.status == "Filled":
        status = "filled"
    total: float | Decimal = order.totalQuantity
    filled: float | Decimal = order.filledQuantity if completed else said.filled
    if completed and not total:
        total = filled  # a completed order may come without its size
    return BrokerOrder(
        order_ref=order.orderRef,
        broker_oid=order.orderId,
        broker_id=str(order.permId or ""),
        symbol=name(trade.contract),
        quantity=exact(total) * (1 if order.action == "BUY" else -1),
        filled=exact(0.0 if filled == UNSET_DOUBLE else filled),
        status=status,
        limit_price=exact(order.lmtPrice) if order.orderType == "LMT" else None,
    )
