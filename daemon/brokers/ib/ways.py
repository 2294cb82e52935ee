"""How orders of a rebalance go out: at the market, by an algorithm of the broker, at the close."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import ib_async
import msgspec
from ib_async import TagValue

from daemon.brokers.ib.orders import OrderUnsendable
from daemon.calendar import Calendar
from state.order import Order

Route = Callable[[Order, ib_async.Order, datetime], ib_async.Order]
Way = Literal["market", "adaptive", "twap", "vwap", "moc"]
SHORTEST: Final = timedelta(minutes=1)  # that an order is spread over


class Routing(msgspec.Struct, frozen=True):
    """The way, and what the broker's algorithms are told of it.

    `priority` is of the adaptive one; `spread` are the seconds that TWAP and VWAP take; `volume` is
    the largest fraction of the market's volume for VWAP; `cutoff` are the seconds before the close
    from which on nothing is sent for that close.
    """

    way: Way = "market"
    priority: str = "Normal"
    spread: float = 1800.0
    volume: float = 0.1
    cutoff: float = 900.0


def at_market(_order: Order, sent: ib_async.Order, _now: datetime) -> ib_async.Order:
    """Return an order as it is."""
    return sent


def of_rebalance(
    order: Order, sent: ib_async.Order, now: datetime, *, routing: Routing, calendar: Calendar
) -> ib_async.Order:
    """Return what goes out: what a rebalance ordered without a limit the way of `routing`.

    Anything else goes as it is, above all what closes positions in a halt. Raises OrderUnsendable.
    """
    if order.source == "rebalance" and order.limit_price is None:
        routed(sent, routing, calendar, now)
    return sent


def routed(order: ib_async.Order, routing: Routing, calendar: Calendar, now: datetime) -> None:
    """Let a market order go the way of `routing`, in the session of `now` or else the next.

    Raises OrderUnsendable where there is no time left for it.
    """
    if routing.way == "market":
        return
    if routing.way == "adaptive":
        algorithm(order, "Adaptive", adaptivePriority=routing.priority)
        return
    opens, closes = trading_hours(calendar, now)
    if routing.way == "moc":
        last = closes - timedelta(seconds=routing.cutoff)
        if now >= last:
            raise OrderUnsendable(
                f"an order at the close of {closes:%Y-%m-%d %H:%M} UTC goes out before "
                f"{last:%H:%M:%S}, ib.moc_cutoff before it, and it is {now:%H:%M:%S}"
            )
        order.orderType = "MOC"
        return
    begin = max(opens, now)
    end = min(begin + timedelta(seconds=routing.spread), closes)
    if end - begin < SHORTEST:
        raise OrderUnsendable(
            f"less than a minute is left until the close of {closes:%Y-%m-%d %H:%M} UTC to spread "
            f"an order over ({routing.way})"
        )
    times = {"startTime": stamp(begin), "endTime": stamp(end), "allowPastEndTime": "1"}
    if routing.way == "twap":
        algorithm(order, "Twap", strategyType="Marketable", **times)
    else:
        algorithm(order, "Vwap", maxPctVol=f"{routing.volume:g}", **times, noTakeLiq="0")


def algorithm(order: ib_async.Order, name: str, **parameters: str) -> None:
    """Name the broker's algorithm and its parameters."""
    order.algoStrategy = name
    order.algoParams = [TagValue(tag, value) for tag, value in parameters.items()]


def trading_hours(calendar: Calendar, now: datetime) -> tuple[datetime, datetime]:
    """Return open and close of the session that is on, or else of the next.

    Raises OrderUnsendable past the last that the calendar has.
    """
    session = calendar.session_of(now)
    if calendar.close_of(session) <= now:
        after = calendar.next_session(session)
        if after is None:
            raise OrderUnsendable(f"{calendar.name} has no session after {session}")
        session = after
    return calendar.open_of(session), calendar.close_of(session)


def stamp(at: datetime) -> str:
    """Return a time as the broker's algorithms read it."""
    return at.astimezone(UTC).strftime("%Y%m%d-%H:%M:%S UTC")
