"""The seams: what the daemon takes from the world. All injected, nothing found."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal, ParamSpec, Protocol, TypeVar, runtime_checkable

import msgspec

from daemon.feeds.bar_check import Refusal
from state.command import RecordFill, RecordStatus
from state.instrument import Symbol
from state.order import Order, OrderId, Rid, name_of
from state.plan import Preview
from state.quote import Close, Quote
from state.record import Batch, Head, Kept, StoredCommand
from state.status import Stream

P = ParamSpec("P")
T = TypeVar("T")


class Clock(Protocol):
    """Wall and monotonic time, and waiting for it to pass."""

    def wall(self) -> datetime:
        """Return the wall clock, UTC."""

    def mono(self) -> float:
        """Return seconds on a clock that never goes back."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""


class Pool(Protocol):
    """Where work is done that would keep the event loop from everything else."""

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns, or raise what it raises; one at a time, in order."""

    async def aclose(self, patience: float) -> None:
        """Begin nothing more, and give what is under way `patience` seconds to end."""


class Store(Protocol):
    """The journal, off the event loop. The engine is its only writer."""

    async def append(self, batch: Batch) -> Head:
        """Make a batch durable, all or none.

        Raises JournalFull after a clean roll-back, CommitInDoubt when nobody can say; after the
        latter the store is poisoned and refuses everything.
        """

    async def commands(self, rids: Sequence[Rid]) -> Mapping[Rid, StoredCommand]:
        """Return the stored commands among `rids`."""

    async def kept(self, orders: Sequence[OrderId], executions: Sequence[str]) -> Kept:
        """Return what the journal keeps of orders and executions that memory let go."""

    def release_ballast(self) -> bool:
        """Give up the space kept back for a full disk; False when that was done before."""

    async def restore_ballast(self) -> bool:
        """Return whether there is room again, by taking the space back."""

    async def read(self, question: Callable[..., T], *arguments: object) -> T:
        """Run `question(connection, *arguments)` on a read-only connection."""

    async def shorten(
        self, before: datetime, shortened: Callable[[bytes], bytes], limit: int
    ) -> int:
        """Shorten at most `limit` final replies older than `before`; return how many."""

    async def aside(self, work: Callable[..., T], *arguments: object) -> T:
        """Run long `work(connection, journal, *arguments)` where nobody waits for it.

        It has a read-only connection of its own, and `journal` is the file's path.
        """


class OwnedStore(Store, Protocol):
    """A store, as who opened it has it."""

    async def aclose(self) -> None:
        """Finish what was begun and let go of the file; twice is once."""


class BrokerUnavailable(Exception):
    """The broker did not answer. Never to be read as "flat" or "no orders"."""


class BrokerOrder(msgspec.Struct, frozen=True):
    """An order as the broker has it; `quantity` is signed, `filled` is its own count.

    `order_ref` is the reference it was given with: "TM1." and our order id, or anything else (or
    nothing) where somebody else gave it. `broker_id` is unique in the account, "" for an order of
    ours as long as the broker gave it none. `broker_oid` is the number it was sent under by its own
    client; others' numbers may be the same as ours.
    """

    order_ref: str
    broker_oid: int
    broker_id: str
    symbol: Symbol
    quantity: Decimal
    filled: Decimal
    status: Literal["open", "filled", "cancelled", "rejected"]
    reason: str = ""
    limit_price: Decimal | None = None

    @property
    def order_id(self) -> OrderId:
        """Return the id it has with us; executions of it are reported under the same."""
        return name_of(self.order_ref, self.broker_id)


class BrokerBook(msgspec.Struct, frozen=True):
    """All the broker knows, whole: what it could not find out it does not answer with less.

    `orders` are all that are open, whoever gave them, and the completed ones it still shows;
    `executions` those since the time asked for, or since `executions_from` where it serves no
    older ones (a gateway forgets them at midnight). `cash` is in base currency; `cash_between` are
    the least and the most that it may be, where it is told rounded, or later than executions.
    """

    orders: tuple[BrokerOrder, ...]
    executions: tuple[RecordFill, ...]
    positions: Mapping[Symbol, Decimal]
    cash: Decimal
    executions_from: datetime | None = None
    cash_between: tuple[Decimal, Decimal] | None = None


Listener = Callable[[RecordStatus | RecordFill], None]


class Broker(Protocol):
    """Who executes. Reports go to the listener it was made with, each as soon as it is known.

    A report may be late, repeated, or out of turn. A corrected execution keeps its `execution_id`
    and has a higher `revision`; where the fee comes later, that is a revision as well. An execution
    of somebody else's order is reported under `state.order.name_of` that order.

    It never guesses: what it can't find out raises BrokerUnavailable, and it does so by itself
    after a time of its own, for nobody else puts an end to its waiting.
    """

    kind: str
    account: str

    @property
    def connected(self) -> bool:
        """Return whether an order sent now would reach it; looked at right before each send.

        It is false from the moment anything speaks against it (a lost heartbeat, too) until the
        broker answers again. The daemon then recovers before it sends anything.
        """

    @property
    def connection(self) -> int:
        """Return the number of the connection; a new one tells of a break that nobody saw."""

    def place(self, order: Order) -> None:
        """Send an order under its `broker_oid` and return at once; returning proves nothing."""

    def cancel(self, order: Order) -> None:
        """Ask an order back and return at once; asked twice is asked once.

        An order that was found at the broker has a `broker_id` and may have no `broker_oid`.
        """

    def move_cash(self, ref: str, signed: Decimal) -> None:
        """Book a deposit or withdrawal (paper only); the same `ref` twice is once."""

    async def next_oid(self) -> int:
        """Return the lowest broker order id never used by us; raises BrokerUnavailable."""

    async def book(self, since: datetime | None) -> BrokerBook:
        """Return everything it knows, as of one moment after the call.

        What was placed and cancelled before the call, and did arrive, is in it. Raises
        BrokerUnavailable rather than leave something out.
        """

    async def on_close(self, close: Close) -> None:
        """See a close before the daemon does (paper fills by it; others ignore it).

        Every report it causes has reached the listener when this returns.
        """

    async def on_quote(self, quote: Quote) -> None:
        """See a quote (paper fills by it; others ignore it)."""

    async def settle(self) -> None:
        """Return once everything placed and cancelled so far was carried out or reported."""

    async def aclose(self) -> None:
        """Let go of files and connections."""


class Feed(Protocol):
    """Closes of the market in order. `run` awaits `deliver` for each before it reads the next."""

    kind: str

    @property
    def connected(self) -> bool:
        """Return whether prices are coming, or could."""

    @property
    def ended(self) -> bool:
        """Return whether there will never be another close."""

    @property
    def refused(self) -> Mapping[Refusal, int]:
        """Return how many bars were not believed, by reason."""

    async def run(self, deliver: Callable[[Close], Awaitable[None]]) -> None:
        """Await `deliver` for each close; return when there are no more."""


@runtime_checkable
class Alarming(Protocol):
    """A broker whose gateway may want a person: a login, a second factor."""

    @property
    def alarm(self) -> str:
        """Return what it wants in words, "" for nothing."""


@runtime_checkable
class Previewing(Protocol):
    """A broker that can say what an order would cost and tie up, before it goes."""

    async def preview(self, orders: Sequence[Order]) -> tuple[Preview, ...]:
        """Return what it says of each, in their order; nothing when it isn't to be asked.

        Nothing is ever sent that could become an order. What it can't find out in a time of its own
        it says so of; it raises nothing.
        """


@runtime_checkable
class Pausing(Protocol):
    """A broker that at times is to be sent nothing new, whether it is connected or not."""

    @property
    def paused(self) -> str:
        """Return why, and until when; "" while orders may go."""


def why_paused(broker: Broker) -> str:
    """Return why a broker is to be sent nothing new, and until when; "" while orders may go."""
    return broker.paused if isinstance(broker, Pausing) else ""


@runtime_checkable
class Streaming(Protocol):
    """A feed that comes over a wire, which can lose things."""

    @property
    def stream(self) -> Stream:
        """Return what came, and what did not."""
