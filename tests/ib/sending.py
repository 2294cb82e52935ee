"""An order on its way to the gateway."""

from datetime import UTC, date, datetime
from decimal import Decimal

from state.order import Order, Status


def sending(order_id, quantity, oid, symbol="SPY", limit=None):
    """The order of that id, claimed under the number `oid`; negative quantities sell."""
    return Order(
        order_id=order_id,
        rid=order_id.rpartition(".")[0],
        symbol=symbol,
        quantity=Decimal(quantity),
        status=Status.SENDING,
        created_at=datetime(2026, 1, 5, 15, tzinfo=UTC),
        session=date(2026, 1, 5),
        price=Decimal(500),
        limit_price=limit,
        broker_oid=oid,
    )
