"""Everything the gateway knows of the account, one question after the other."""

from decimal import Decimal
from typing import Final

from daemon.brokers.ib.executions import exact, record
from daemon.brokers.ib.gateway import Gateway
from daemon.brokers.ib.orders import incoming
from daemon.seams import BrokerBook, BrokerUnavailable
from state.instrument import Symbol

CASH: Final = ("TotalCashBalance", "BASE")


async def book(gateway: Gateway) -> BrokerBook:
    """Return the whole book; raise BrokerUnavailable for any part without its end.

    The questions wait for each other: ib_async keeps one answer for all of a kind. The gateway
    serves executions and completed orders of its own day only.
    """
    ib, account = gateway.ib, gateway.address.account
    await gateway.answer("the account", ib.reqAccountUpdatesAsync(account))
    opened = await gateway.answer("open orders", ib.reqAllOpenOrdersAsync())
    done = await gateway.answer("completed orders", ib.reqCompletedOrdersAsync(False))
    fills = await gateway.answer("executions", ib.reqExecutionsAsync())
    held = await gateway.answer("positions", ib.reqPositionsAsync())
    orders = {o.broker_id: o for o in (incoming(t, completed=False) for t in opened)}
    orders.update({o.broker_id: o for o in (incoming(t, completed=True) for t in done)})
    positions: dict[Symbol, Decimal] = {
        p.contract.symbol: exact(p.position) for p in held if p.account == account and p.position
    }
    return BrokerBook(
        orders=tuple(orders.values()),
        executions=tuple(record(f) for f in fills if f.execution.acctNumber == account),
        positions=positions,
        cash=cash(gateway),
    )


def cash(gateway: Gateway) -> Decimal:
    """Return the cash in base currency as last reported; raise BrokerUnavailable without it."""
    for value in gateway.ib.accountValues(gateway.address.account):
        if (value.tag, value.currency) == CASH:
            return exact(float(value.value))
    raise BrokerUnavailable(f"the gateway did not report {CASH[0]} of {gateway.address.account}")
