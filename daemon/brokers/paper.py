"""The paper broker: an exchange of its own behind the seam, with its own book in its own file."""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from sqlite3 import Connection
from typing import Final, Self

from msgspec.structs import asdict, replace

from daemon.brokers import paper_rows
from daemon.brokers.execution_model import terms
from daemon.brokers.paper_account import (
    Account,
    Cancellation,
    Known,
    Message,
    Movement,
    PaperOrder,
    Placement,
    Step,
)
from daemon.brokers.paper_book import BookFull
from daemon.brokers.paper_file import PaperFile
from daemon.brokers.paper_venue import REFUSED, Rules, carried_out, closed, quoted
from daemon.calendar import Calendar
from daemon.seams import BrokerBook, Clock, Listener
from state.command import RecordStatus, ReportKind
from state.instrument import ZERO, Instrument, Symbol, money
from state.order import Order
from state.quote import Close, Quote
from state.settings import Paper

log: Final = logging.getLogger(__name__)
INITIAL: Final = "initial"  # the reference of the cash a new book begins with


class PaperBroker:
    """Trades at the prices it is shown. Memory is never ahead of the file, nor reports of either.

    Orders, cancellations and cash are carried out in the order they were sent, `paper.latency`
    seconds later, and before any price, question or new id that comes after them.
    """

    kind: str = "paper"

    def __init__(
        self,
        file: PaperFile,
        opening: Account,
        rules: Rules,
        *,
        latency: float,
        listener: Listener,
        clock: Clock,
        account: str,
    ) -> None:
        self.account = account
        self._file, self._book, self._rules = file, opening, rules
        self._latency, self._tell, self._clock = latency, listener, clock
        self._waiting: deque[tuple[float, Message]] = deque()  # due on the monotonic clock
        self._delivering = False
        self._postponed: list[Movement] = []  # cash that came while the disk was full
        self._unsaved: dict[str, PaperOrder] = {}  # orders cancelled meanwhile
        self._price_at: datetime | None = None

    @classmethod
    async def open(
        cls,
        path: Path,
        paper: Paper,
        *,
        listener: Listener,
        clock: Clock,
        instrument: Callable[[Symbol], Instrument],
        calendar: Calendar,
        account: str = "PAPER",
        margin: bool = False,
        allow_short: bool = False,
    ) -> Self:
        """Return the broker of the book in `path`, made with `paper.initial_cash` if it is new.

        Raises BookRefused for a foreign, newer or damaged file.
        """
        initial = Movement(INITIAL, money(paper.initial_cash))
        file, opening = await PaperFile.open(path, initial, clock.wall())
        rules = Rules(terms(paper), instrument, calendar, margin, allow_short)
        return cls(
            file,
            opening,
            rules,
            latency=paper.latency,
            listener=listener,
            clock=clock,
            account=account,
        )

    @property
    def connected(self) -> bool:
        """Return whether an order sent now would reach the book."""
        return not self._file.failure

    @property
    def connection(self) -> int:
        """Return that it is always the same one: what fails stays so until a restart."""
        return 1

    def place(self, order: Order) -> None:
        """Send an order; a used id or reference comes back refused, never as a second order."""
        if order.broker_oid is None:
            raise ValueError(f"order {order.order_id} has no broker order id; claim it first")
        self._send(Placement(order, order.broker_oid))

    def cancel(self, order: Order) -> None:
        """Ask an order back."""
        self._send(Cancellation(order.order_ref))

    def move_cash(self, ref: str, signed: Decimal) -> None:
        """Book cash that came (positive) or went, once for each `ref`."""
        self._send(Movement(ref, money(signed)))

    async def next_oid(self) -> int:
        """Return the lowest broker order id never used."""
        await self.settle()
        return self._book.next_oid

    async def book(self, since: datetime | None) -> BrokerBook:
        """Return the book after all that was sent, in one consistent read; None: from the start."""
        return await self._file.exclusively(partial(self._read, since))

    async def on_close(self, close: Close) -> None:
        """Trade the open orders at the bars of a close; costs nothing while there are none."""
        await self._priced(close.at, partial(closed, rules=self._rules, close=close))

    async def on_quote(self, quote: Quote) -> None:
        """Trade the open orders of a symbol at its bid or ask."""
        await self._priced(quote.at, partial(quoted, rules=self._rules, quote=quote))

    async def settle(self) -> None:
        """Return once all that was sent is carried out and reported."""
        self._file.check()
        if self._waiting or self._postponed or self._file.busy:
            await self._file.exclusively(self._carry_out)

    async def aclose(self) -> None:
        """Carry out what was sent and close the file."""
        try:
            if not self._file.failure:
                await self.settle()
        finally:
            await self._file.aclose()

    def _send(self, message: Message) -> None:
        """Queue a message, and see to it that it is carried out without anybody waiting."""
        if self._file.failure:  # like bytes written to a connection that is gone
            log.error("paper_message_lost", extra={"sent": repr(message)})
            return
        self._waiting.append((self._clock.mono() + self._latency, message))
        if not self._delivering:
            self._delivering = True
            self._file.start(self._deliver)

    async def _deliver(self) -> None:
        """Carry out what waits, in the background; a failure shows at the next call of anybody."""
        self._delivering = False
        await self._carry_out()

    async def _carry_out(self) -> None:
        """Carry out all messages, each batch that is due together in one transaction."""
        now = self._clock.mono()
        self._waiting.extendleft((now, message) for message in reversed(self._postponed))
        self._postponed.clear()
        while self._waiting:
            due, _ = self._waiting[0]
            if due > self._clock.mono():
                await self._clock.sleep(due - self._clock.mono())
            now = max(due, self._clock.mono())
            batch = []
            while self._waiting and self._waiting[0][0] <= now:
                batch.append(self._waiting.popleft()[1])
            try:
                await self._write(partial(self._decide, batch))
            except BookFull as e:
                self._do_without_disk(batch, e)

    def _decide(self, batch: Sequence[Message], connection: Connection) -> Step:
        """Return what a batch does, given what the file remembers (in the file's thread)."""
        named = {m.order.order_ref for m in batch if isinstance(m, Placement)}
        named |= {m.order_ref for m in batch if isinstance(m, Cancellation)}
        moves = [m.ref for m in batch if isinstance(m, Movement)]
        known = paper_rows.known(connection, sorted(named), moves)
        known = replace(known, completed={**known.completed, **self._unsaved})
        return carried_out(self._book, self._rules, batch, known, self._price_at)

    def _do_without_disk(self, batch: Sequence[Message], full: BookFull) -> None:
        """Refuse orders, put cash off, but cancel: that only cuts risk, and can be written later.

        A crash before it is written leaves the order open in the book, and reconciliation, which
        knows it as cancelled, cancels it again.
        """
        log.error("paper_disk_full", extra={"messages": len(batch), "error": str(full)})
        for message in batch:
            match message:
                case Placement(order, _):
                    reason = f"{REFUSED}: the paper book's disk is full; make room and try again"
                    self._tell(
                        RecordStatus(
                            order.order_id, ReportKind.REJECTED, filled=ZERO, reason=reason
                        )
                    )
                case Movement():
                    self._postponed.append(message)
                case Cancellation():
                    step = carried_out(
                        self._book,
                        self._rules,
                        [message],
                        Known(completed=self._unsaved),
                        self._price_at,
                    )
                    self._unsaved |= {order.order_ref: order for order in step.orders}
                    self._adopt(step)

    async def _priced(self, at: datetime, priced: Callable[[Account], Step]) -> None:
        """Carry out what was sent before a price, then what the price does."""
        self._file.check()
        if self._book.open or self._waiting or self._postponed or self._file.busy:
            await self._file.exclusively(partial(self._trade, priced))
        self._price_at = at

    async def _trade(self, priced: Callable[[Account], Step]) -> None:
        """Write and report what a price does to the open orders, if anything."""
        await self._carry_out()
        step = priced(self._book)
        if not step.empty:
            try:
                await self._write(lambda _: step)
            except BookFull:
                log.exception("paper_disk_full")

    async def _read(self, since: datetime | None) -> BrokerBook:
        """Return the book as the file has it, holdings and cash as they add up in memory."""
        await self._carry_out()
        orders, executions = await self._file.read(partial(paper_rows.history, since=since))
        held = {symbol: quantity for symbol, quantity in self._book.positions.items() if quantity}
        return BrokerBook(orders, executions, held, self._book.cash)

    async def _write(self, decide: Callable[[Connection], Step]) -> None:
        """Make a step durable, then believe it, then report it."""
        unsaved = tuple(self._unsaved.values())

        def with_unsaved(connection: Connection) -> Step:
            step = decide(connection)
            return replace(step, orders=(*unsaved, *step.orders))

        step = await self._file.write(with_unsaved, self._clock.wall())
        self._unsaved.clear()
        self._adopt(step)

    def _adopt(self, step: Step) -> None:
        """Believe a step and report it."""
        self._book = step.account
        for refusal in step.refusals:
            log.error("paper_refused", extra=asdict(refusal))
        for report in step.reports:
            self._tell(report)
