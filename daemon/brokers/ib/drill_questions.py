"""What a drill asks before it orders: the last close, and what an order would cost."""

import asyncio
from decimal import Decimal
from functools import partial

from ib_async import Order, OrderState, RequestError
from ib_async.util import UNSET_DOUBLE

from daemon.brokers.ib.contracts import Listed
from daemon.brokers.ib.executions import exact
from daemon.brokers.ib.gateway import Gateway


class NoDrill(Exception):
    """There is nothing to drill with, or nobody; the message says why."""


async def last_close(gateway: Gateway, listed: Listed, patience: float) -> Decimal:
    """Return the last daily close; raise NoDrill, or BrokerUnavailable."""
    ask = partial(
        gateway.ib.reqHistoricalDataAsync,
        listed.contract,
        endDateTime="",
        durationStr="5 D",
        barSizeSetting="1 day",
        whatToShow="TRADES",
        useRTH=True,
        timeout=patience / 2,
    )
    bars = await gateway.answer("the past", ask)
    if not bars:
        raise NoDrill("the history has no answer, so there is no price to stay away from")
    return exact(bars[-1].close)


async def what_if(
    gateway: Gateway, listed: Listed, order: Order, patience: float
) -> tuple[bool, str]:
    """Return whether the gateway says what an order would do to the account, and what it says.

    It may never answer, and that is no reason to let go of the connection.
    """
    try:
        state = await asyncio.wait_for(
            gateway.ib.whatIfOrderAsync(listed.contract, order), patience
        )
    except (RequestError, TimeoutError, OSError) as why:
        return False, f"no answer: {str(why) or type(why).__name__}"
    if not isinstance(state, OrderState):
        return False, "an empty answer, as of a rejection"
    fee = state.commission
    told = "not told" if fee == UNSET_DOUBLE else f"{fee}"
    return True, f"margin {state.initMarginChange}, commission {told}"
