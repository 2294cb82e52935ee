"""The life of an order: an explicit table of what may follow what."""

from base64 import b32encode
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from hashlib import blake2b
from typing import Final

import msgspec

from state.instrument import ZERO, Symbol

OrderId = str
Rid = str

OURS: Final = "TM1."  # begins the reference of every order of ours
EXTERNAL: Final = "external"  # the source of an order that somebody else gave to the broker


class Status(StrEnum):
    """Where an order is. From SENDING until the broker speaks it is in doubt."""

    PENDING = "pending"  # durable, not yet claimed by the sender
    SENDING = "sending"  # claimed: it may be on the wire
    LIVE = "live"  # the broker confirmed it
    PENDING_CANCEL = "pending_cancel"  # asked back; the broker has not agreed
    UNKNOWN = "unknown"  # sent, and the broker cannot be asked or did not answer
    FILLED = "filled"
    CANCELLED = "cancelled"
    BROKER_REJECTED = "broker_rejected"
    EXPIRED = "expired"  # never sent: its time passed first
    HALTED = "halted"  # never sent: trading was halted first
    NOT_PLACED = "not_placed"  # claimed, and by two looks never reached the broker


class Trigger(StrEnum):
    """What can happen to an order."""

    CLAIM = "claim"
    ACCEPT = "accept"
    FILL_SOME = "fill_some"
    FILL_ALL = "fill_all"
    ASK_CANCEL = "ask_cancel"
    CANCEL = "cancel"
    REJECT = "reject"
    EXPIRE = "expire"
    HALT = "halt"
    LOSE = "lose"
    NOT_SEEN = "not_seen"
    SETTLE = "settle"


OPEN: Final = frozenset(
    {Status.PENDING, Status.SENDING, Status.LIVE, Status.PENDING_CANCEL, Status.UNKNOWN}
)
IN_DOUBT: Final = frozenset({Status.SENDING, Status.UNKNOWN})

S, T = Status, Trigger
TRANSITIONS: Final[Mapping[tuple[Status, Trigger], Status]] = {
    (S.PENDING, T.CLAIM): S.SENDING,
    (S.PENDING, T.EXPIRE): S.EXPIRED,
    (S.PENDING, T.HALT): S.HALTED,
    (S.PENDING, T.ASK_CANCEL): S.CANCELLED,  # never sent, so nobody needs to agree
    (S.PENDING, T.ACCEPT): S.LIVE,  # an older backup forgot the claim; the broker did not
    (S.PENDING, T.FILL_SOME): S.LIVE,
    (S.PENDING, T.FILL_ALL): S.FILLED,
    (S.PENDING, T.CANCEL): S.CANCELLED,
    (S.PENDING, T.REJECT): S.BROKER_REJECTED,
    (S.SENDING, T.ACCEPT): S.LIVE,
    (S.SENDING, T.FILL_SOME): S.LIVE,  # an execution is proof of acceptance
    (S.SENDING, T.FILL_ALL): S.FILLED,
    (S.SENDING, T.REJECT): S.BROKER_REJECTED,
    (S.SENDING, T.CANCEL): S.CANCELLED,
    (S.SENDING, T.ASK_CANCEL): S.PENDING_CANCEL,
    (S.SENDING, T.EXPIRE): S.EXPIRED,  # claimed, and stopped by the sender's own last look
    (S.SENDING, T.HALT): S.HALTED,
    (S.SENDING, T.LOSE): S.UNKNOWN,
    (S.SENDING, T.NOT_SEEN): S.NOT_PLACED,
    (S.LIVE, T.ACCEPT): S.LIVE,  # repeats are harmless
    (S.LIVE, T.FILL_SOME): S.LIVE,
    (S.LIVE, T.FILL_ALL): S.FILLED,
    (S.LIVE, T.ASK_CANCEL): S.PENDING_CANCEL,
    (S.LIVE, T.CANCEL): S.CANCELLED,
    (S.LIVE, T.REJECT): S.BROKER_REJECTED,  # a venue may refuse after its gateway accepted
    (S.LIVE, T.LOSE): S.UNKNOWN,
    (S.PENDING_CANCEL, T.ACCEPT): S.PENDING_CANCEL,  # the acceptance was late
    (S.PENDING_CANCEL, T.FILL_SOME): S.PENDING_CANCEL,
    (S.PENDING_CANCEL, T.FILL_ALL): S.FILLED,  # the fill won the race
    (S.PENDING_CANCEL, T.CANCEL): S.CANCELLED,
    (S.PENDING_CANCEL, T.REJECT): S.BROKER_REJECTED,
    (S.PENDING_CANCEL, T.ASK_CANCEL): S.PENDING_CANCEL,
    (S.PENDING_CANCEL, T.LOSE): S.UNKNOWN,
    (S.PENDING_CANCEL, T.NOT_SEEN): S.NOT_PLACED,
    (S.UNKNOWN, T.ACCEPT): S.LIVE,
    (S.UNKNOWN, T.FILL_SOME): S.LIVE,
    (S.UNKNOWN, T.FILL_ALL): S.FILLED,
    (S.UNKNOWN, T.CANCEL): S.CANCELLED,
    (S.UNKNOWN, T.REJECT): S.BROKER_REJECTED,
    (S.UNKNOWN, T.NOT_SEEN): S.NOT_PLACED,
    (
        S.UNKNOWN,
        T.ASK_CANCEL,
    ): S.UNKNOWN,  # asked, but what we do not know we cannot call cancelling
    (S.UNKNOWN, T.LOSE): S.UNKNOWN,
    (S.FILLED, T.ACCEPT): S.FILLED,  # callbacks come in any order
    (S.FILLED, T.CANCEL): S.FILLED,
    (S.FILLED, T.FILL_ALL): S.FILLED,  # more than was ordered: booked, and the decider halts
    (S.FILLED, T.FILL_SOME): S.FILLED,  # an execution was corrected to less
    (S.FILLED, T.REJECT): S.FILLED,
    (S.CANCELLED, T.FILL_SOME): S.CANCELLED,  # a cancel overtook its executions
    (S.CANCELLED, T.FILL_ALL): S.FILLED,
    (S.CANCELLED, T.CANCEL): S.CANCELLED,
    (S.CANCELLED, T.ACCEPT): S.CANCELLED,
    (S.CANCELLED, T.REJECT): S.CANCELLED,
    (S.BROKER_REJECTED, T.FILL_SOME): S.BROKER_REJECTED,
    (S.BROKER_REJECTED, T.FILL_ALL): S.FILLED,
    (S.BROKER_REJECTED, T.REJECT): S.BROKER_REJECTED,
    (S.BROKER_REJECTED, T.ACCEPT): S.BROKER_REJECTED,
    (S.BROKER_REJECTED, T.CANCEL): S.BROKER_REJECTED,
    **{  # the books agree without the executions it owes: they were booked another way
        (status, Trigger.SETTLE): Status.FILLED if status in OPEN else status
        for status in (*OPEN, Status.FILLED, Status.CANCELLED, Status.BROKER_REJECTED)
    },
    **{  # a zombie: late bytes reached the broker, or an older backup forgot that they were sent
        (unsent, trigger): status
        for unsent in (S.NOT_PLACED, S.EXPIRED, S.HALTED)
        for trigger, status in (
            (T.ACCEPT, S.LIVE),
            (T.FILL_SOME, S.LIVE),
            (T.FILL_ALL, S.FILLED),
            (T.CANCEL, S.CANCELLED),
            (T.REJECT, S.BROKER_REJECTED),
        )
    },
}
del S, T


class ImpossibleTransition(Exception):
    """An order was told something that cannot happen to it."""

    def __init__(self, order_id: OrderId, status: Status, trigger: Trigger) -> None:
        super().__init__(f"order {order_id} is {status} and cannot {trigger}")
        self.order_id, self.status, self.trigger = order_id, status, trigger


class Order(msgspec.Struct, frozen=True):
    """One order. `quantity` is signed (a sale is negative), `filled` never is.

    `reported` is the broker's own cumulative count, which may run ahead of its executions: a
    terminal order keeps exposure down to the larger of the two. `value` is the money its
    executions moved, never negative.
    """

    order_id: OrderId
    rid: Rid
    symbol: Symbol
    quantity: Decimal
    status: Status
    created_at: datetime
    session: date
    price: Decimal  # the reference: the last price known when it was decided
    limit_price: Decimal | None = None
    source: str = "manual"  # or "rebalance", "flatten", "external"
    filled: Decimal = ZERO
    reported: Decimal = ZERO
    value: Decimal = ZERO
    fees: Decimal = ZERO
    broker_oid: int | None = None
    broker_id: str | None = None
    reason: str = ""
    asked_back: bool = False  # while it is open: nobody wants what is left of it any more

    @property
    def order_ref(self) -> str:
        """Return the reference this order carries at the broker; somebody else's has none of ours.

        Then it is the name we gave it.
        """
        return self.order_id if self.external else f"{OURS}{self.order_id}"

    @property
    def external(self) -> bool:
        """Return whether somebody else gave this order to the broker."""
        return self.source == EXTERNAL

    @property
    def open(self) -> bool:
        """Return whether more may still happen to it."""
        return self.status in OPEN

    @property
    def working(self) -> Decimal:
        """Return the signed quantity that may still trade, in doubt at full size; 0 when final.

        What the broker counted and has not yet sent the executions of is still to come.
        """
        left = abs(self.quantity) - self.filled
        if not self.open:
            left = min(left, self.reported - self.filled)
        return max(left, ZERO).copy_sign(self.quantity)

    @property
    def owed(self) -> Decimal:
        """Return the quantity whose executions the broker still owes, by its own count: never < 0.

        0 for an order that may trade more.
        """
        if self.open and self.reported < abs(self.quantity):
            return ZERO
        return max(self.reported - self.filled, ZERO)

    @property
    def average_price(self) -> Decimal | None:
        """Return the mean price of its executions, unrounded; None while there are none."""
        return self.value / self.filled if self.filled else None


def after(order: Order, trigger: Trigger) -> Status:
    """Return the status that follows; raise ImpossibleTransition when the table has no such row."""
    try:
        return TRANSITIONS[order.status, trigger]
    except KeyError:
        raise ImpossibleTransition(order.order_id, order.status, trigger) from None


def name_of(order_ref: str, broker_id: str) -> OrderId:
    """Return the id of an order at the broker: ours by its reference, others by the broker's id."""
    if order_ref.startswith(OURS):
        return order_ref.removeprefix(OURS)
    return f"EXT.{broker_id}"


def request_id(key: str) -> Rid:
    """Return the 24-character id that an idempotency key stands for, the same for ever."""
    return b32encode(blake2b(f"tm1|{key}".encode(), digest_size=15).digest()).decode()


def order_id(rid: Rid, leg: int) -> OrderId:
    """Return the id of a command's order number `leg`, counted from 0."""
    return f"{rid}.{leg}"
