"""What the gateway's error codes mean: one table from a code to what is done about it."""

from enum import StrEnum
from typing import Final


class Action(StrEnum):
    """What a code asks for. A code about an order is a hint until the orders were read again."""

    NOTE = "note"  # nothing changes
    LIVE = "live"  # a notice: the order works or is held, whatever its local status says
    REJECTED = "rejected"  # the order is dead, unless executions say otherwise
    CANCELLED = "cancelled"  # it accompanies a cancellation
    READ_AGAIN = "read again"  # only the gateway's orders and executions can tell
    CLIENT_ID_IN_USE = "client id in use"  # try the same id again later
    UPSTREAM_LOST = "upstream lost"  # no orders until it is back
    BACK_DATA_LOST = "back, data lost"  # read everything, subscribe again
    BACK = "back"  # read everything
    PRICES_STALE = "prices stale"
    PRICES_BACK = "prices back"
    NO_PRICES = "no prices"  # not subscribed, delayed, or another session has them
    SLOWER = "slower"  # too many messages


TABLE: Final[dict[int, Action]] = {
    100: Action.SLOWER,
    101: Action.NO_PRICES,
    103: Action.READ_AGAIN,
    104: Action.READ_AGAIN,
    105: Action.READ_AGAIN,
    110: Action.READ_AGAIN,
    161: Action.READ_AGAIN,
    162: Action.NOTE,
    200: Action.REJECTED,
    201: Action.REJECTED,
    202: Action.CANCELLED,
    321: Action.READ_AGAIN,
    322: Action.NOTE,
    326: Action.CLIENT_ID_IN_USE,
    354: Action.NO_PRICES,
    366: Action.NOTE,
    399: Action.LIVE,
    404: Action.LIVE,
    434: Action.REJECTED,
    442: Action.REJECTED,
    1100: Action.UPSTREAM_LOST,
    1101: Action.BACK_DATA_LOST,
    1102: Action.BACK,
    2103: Action.PRICES_STALE,
    2104: Action.PRICES_BACK,
    2105: Action.PRICES_STALE,
    2106: Action.PRICES_BACK,
    2107: Action.NOTE,
    2108: Action.NOTE,
    2110: Action.UPSTREAM_LOST,
    2157: Action.PRICES_STALE,
    2158: Action.PRICES_BACK,
    10089: Action.NO_PRICES,
    10090: Action.NO_PRICES,
    10147: Action.READ_AGAIN,
    10148: Action.READ_AGAIN,
    10167: Action.NO_PRICES,
    10168: Action.NO_PRICES,
    10197: Action.NO_PRICES,
    10243: Action.REJECTED,
    10349: Action.LIVE,
}
WARNINGS: Final = range(2100, 2200)


def action(code: int) -> Action:
    """Return what `code` asks for; what nobody knows is never taken for an end of an order."""
    known = TABLE.get(code)
    if known is not None:
        return known
    return Action.NOTE if code in WARNINGS else Action.READ_AGAIN
