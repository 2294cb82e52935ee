"""Everything the gateway knows of the account, one question after the other."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Final

from ib_async import Contract

from daemon.brokers.ib.executions import exact, record
from daemon.brokers.ib.gateway import Gateway
from daemon.brokers.ib.orders import incoming
from daemon.seams import BrokerBook, BrokerUnavailable
from state.instrument import Symbol
from state.order import OURS

CASH: Final = ("TotalCashBalance", "BASE")


async def book(gateway: Gateway, name: Callable[[Contract], Symbol]) -> BrokerBook:
    """Return the account's whole book, symbols by `name`.

    Raises BrokerUnavailable for any part without its end.

    The gateway has orders before its servers do and give them their permanent ids: ours are told
    without one, and somebody else's, which can't be traded yet, when it has one.

    The questions wait for each other: ib_async keeps one answer for all of a kind. The gateway
    serves executions and completed orders of its own day only.
    """
    ib, account = gateway.ib, gateway.address.account
    await gateway.answer("the account", partial(ib.reqAccountUpdatesAsync, account))
    opened = await gateway.answer("open orders", ib.reqAllOpenOrdersAsync)
    done = await gateway.answer("completed orders", partial(ib.reqCompletedOrdersAsync, False))
    await gateway.answer("executions", ib.reqExecutionsAsync)
    fills = ib.fills()  # the answer itself lacks the commissions that came before
    held = await gateway.answer("positions", ib.reqPositionsAsync)
    orders = {}
    for listed, completed in ((opened, False), (done, True)):
        for trade in listed:
            if trade.order.account in {"", account}:
                order = incoming(trade, completed=completed, name=name)
                if order.broker_id or order.order_ref.startswith(OURS):
                    orders[order.broker_id or order.order_id] = order
    positions: dict[Symbol, Decimal] = {
        name(p.contract): exact(p.position) for p in held if p.account == account and p.position
    }
    return BrokerBook(
        orders=tuple(orders.values()),
        executions=tuple(record(f, name) for f in fills if f.execution.acctNumber == account),
        positions=positions,
        cash=cash(gateway),
    )


def cash(gateway: Gateway) -> Decimal:
    """Return the cash in base currency as last reported; raise BrokerUnavailable without it."""
    for value in gateway.ib.accountValues(gateway.address.account):
        if (value.tag, value.currency) == CASH:
            return exact(float(value.value))
    raise BrokerUnavailable(f"the gateway did not report {CASH[0]} of {gateway.address.account}")
