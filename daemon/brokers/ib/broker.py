"""The broker of Interactive Brokers, behind the seam: one gateway, one account, one client id."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import ib_async
from msgspec.structs import replace

from daemon.brokers.ib import recovery_reads
from daemon.brokers.ib.contracts import Contracts
from daemon.brokers.ib.executions import ReportUnreadable
from daemon.brokers.ib.gateway import PATIENCE, Address, Gateway, State
from daemon.brokers.ib.keeper import Keeper
from daemon.brokers.ib.lagging_cash import LaggingCash
from daemon.brokers.ib.orders import OrderUnsendable
from daemon.brokers.ib.outbound import Outbound
from daemon.brokers.ib.previewing import Previewer
from daemon.brokers.ib.reports import REQUESTS, Reports
from daemon.brokers.ib.restarting import Restart
from daemon.brokers.ib.ways import Route, at_market
from daemon.brokers.ib.wire_errors import Action, action
from daemon.seams import BrokerBook, BrokerUnavailable, Clock, Listener
from state.command import RecordFill, RecordStatus, ReportKind
from state.instrument import ZERO, AmountOutOfRange, Instrument
from state.order import Order
from state.plan import Preview
from state.quote import Close, Quote

RECENT: Final = timedelta(minutes=5)  # that the gateway serves whatever day it has
UP: Final = frozenset({State.CONNECTED, State.READY})

log: Final = logging.getLogger(__name__)


class InteractiveBroker:
    """Trades one account through a gateway, over one connection after the other.

    `connection` rises with each of them, each time that the gateway found its servers again, and
    each time that something was said which only a comparison can resolve.
    """

    kind: str = "ib"

    def __init__(
        self,
        address: Address,
        instruments: Sequence[Instrument],
        currency: str,
        *,
        listener: Listener,
        clock: Clock,
        chance: Callable[[], float],
        patience: float = PATIENCE,
        read_only: bool = False,
        route: Route = at_market,
        previewer: Previewer | None = None,
        restart: Restart | None = None,
    ) -> None:
        self.account = address.account
        self._address, self._tell, self._clock = address, listener, clock
        self._patience, self._currency, self._read_only = patience, currency, read_only
        self._contracts, self._previewer = Contracts(instruments, currency), previewer
        self._restart = restart
        self._outbound = Outbound(
            self._contracts, address.account, clock, read_only=read_only, route=route
        )
        self._keeper = Keeper(self._made, self._connected, clock, chance, self._expected)
        self._gateway: Gateway | None = None  # the one whose contracts are known
        self._reports: Reports | None = None
        self._connection = 0
        self._floor = 1  # the lowest order id that nobody used, as far as this connection heard
        self._asked_back: set[str] = set()  # over this connection
        self._unanswered: set[str] = set()  # placed, and nothing heard
        self._cash = LaggingCash(clock)
        self._reading = asyncio.Lock()
        self._news = asyncio.Event()
        self._keeping = asyncio.create_task(self._keeper.run(), name="ib")

    @property
    def connected(self) -> bool:
        """Return whether the gateway answers, and has its servers; raise what ended the keeping."""
        self._kept()
        return self._gateway is not None and self._gateway.state in UP

    @property
    def connection(self) -> int:
        """Return the number of the connection."""
        return self._connection

    @property
    def alarm(self) -> str:
        """Return what a person is wanted for at the gateway, "" for nothing."""
        return self._keeper.alarm

    @property
    def paused(self) -> str:
        """Return why nothing new is to be sent, and until when; "" while orders may go."""
        return "" if self._restart is None else self._restart.said(self._clock.wall())

    @property
    def gateway(self) -> Gateway | None:
        """Return the gateway while it has its servers, for prices to come over it, too."""
        return self._gateway if self.connected else None

    @property
    def contracts(self) -> Contracts:
        """Return what the gateway has of each symbol."""
        return self._contracts

    def place(self, order: Order) -> None:
        """Send an order; what can't be sent as it is comes back refused."""
        gateway = self._gateway
        if gateway is None or gateway.state is not State.READY:
            log.error("ib_order_lost", extra={"order": order.order_id})
            return
        try:
            self._unanswered.add(order.order_id)
            gateway.ib.placeOrder(*self._outbound.of(order))
        except OrderUnsendable as why:
            self._hear(RecordStatus(order.order_id, ReportKind.REJECTED, None, ZERO, str(why)))
        except ConnectionError:
            log.exception("ib_order_lost", extra={"order": order.order_id})

    def cancel(self, order: Order) -> None:
        """Ask an order back, once over each connection; unheard it is asked back again."""
        gateway, reports = self._gateway, self._reports
        if gateway is None or reports is None or self._read_only or not self.connected:
            return  # the comparison that follows the next connection asks again
        if order.order_id in self._asked_back:
            return
        known = self._known(gateway, order)
        if known is None:
            log.error("ib_order_not_ours_to_cancel", extra={"order": order.order_id})
            return
        self._asked_back.add(order.order_id)
        reports.silent = True
        try:
            gateway.ib.cancelOrder(known)
        except ConnectionError:
            log.exception("ib_cancel_lost", extra={"order": order.order_id})
        finally:
            reports.silent = False

    def _known(self, gateway: Gateway, order: Order) -> ib_async.Order | None:
        """Return the order under the number it can be asked back by: our client's own only."""
        ours = self._address.client_id
        for trade in gateway.ib.trades():
            told = trade.order
            if told.clientId == ours and told.orderId > 0 and (
                order.broker_id == str(told.permId) or told.orderRef == order.order_ref
            ):  # fmt: skip
                return told
        if order.broker_oid is None:
            return None
        return ib_async.Order(orderId=order.broker_oid, clientId=ours)

    def move_cash(self, ref: str, signed: Decimal) -> None:
        """Move nothing: cash of an account moves at the broker."""
        log.critical("ib_moves_its_own_cash", extra={"ref": ref, "amount": f"{signed:+f}"})

    async def next_oid(self) -> int:
        """Return the lowest order id never used by anybody whom this connection heard of."""
        self._up()
        return self._floor

    async def book(self, since: datetime | None) -> BrokerBook:
        """Return the whole book, and be ready; raise BrokerUnavailable.

        `since` changes nothing: the gateway serves its own day, and the answer says from when on.
        """
        async with self._reading:
            gateway, connection = self._up(), self._connection
            try:
                read = await recovery_reads.book(gateway, self._contracts.name)
            except (ReportUnreadable, AmountOutOfRange) as why:
                raise BrokerUnavailable(f"the gateway's book can't be read: {why}") from why
            if self._up() is not gateway or connection != self._connection:
                raise BrokerUnavailable("the connection to the gateway broke meanwhile")
            seen = (t.order.orderId for t in gateway.ib.trades())
            self._floor = max(self._floor, *(oid + 1 for oid in seen if oid < REQUESTS), 0)
            for fill in read.executions:
                self._cash.note(fill)
            gateway.compared()
            recent = self._clock.wall() - RECENT
            return replace(
                read,
                executions_from=min((recent, *(fill.at for fill in read.executions))),
                cash_between=self._cash.between(read.cash),
            )

    async def on_close(self, close: Close) -> None:
        """Leave the market to the exchange."""

    async def on_quote(self, quote: Quote) -> None:
        """Leave the market to the exchange."""

    async def preview(self, orders: Sequence[Order]) -> tuple[Preview, ...]:
        """Return what the gateway says beforehand of each, over a connection of its own."""
        return await self._previewer.of(orders, self._outbound) if self._previewer else ()

    async def settle(self) -> None:
        """Return once the gateway said something of every order placed; or BrokerUnavailable."""
        try:
            async with asyncio.timeout(self._patience):
                while self._unanswered:
                    self._up()
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise BrokerUnavailable(f"no word about {sorted(self._unanswered)[:3]}") from None

    async def aclose(self) -> None:
        """Let go of the connection."""
        self._keeping.cancel()
        await asyncio.gather(self._keeping, return_exceptions=True)

    def _expected(self) -> float:
        """Return for how many seconds the gateway's restart may still keep it away."""
        return 0.0 if self._restart is None else self._restart.left(self._clock.wall())

    def _up(self) -> Gateway:
        """Return the connection; raise BrokerUnavailable without one, or what ended the keeping."""
        self._kept()
        if self._gateway is None or self._gateway.state not in UP:
            made = self._keeper.gateway
            why = made.reason if made is not None else "never connected"
            raise BrokerUnavailable(f"no gateway at {self._where}: {why or 'not asked yet'}")
        return self._gateway

    def _kept(self) -> None:
        """Raise RuntimeError when nobody connects any more: the run ends, and the next recovers."""
        if self._keeping.done() and not self._keeping.cancelled():
            failure = self._keeping.exception()
            raise RuntimeError("nobody keeps the connection to the gateway") from failure

    @property
    def _where(self) -> str:
        return f"{self._address.host}:{self._address.port}"

    def _made(self) -> Gateway:
        """Return a connection to be made."""
        self._gateway = None
        return Gateway(self._address, self._patience)

    async def _connected(self, gateway: Gateway) -> None:
        """Take over a new connection; raise BrokerUnavailable."""
        client = gateway.ib.client
        self._floor = client.getReqId()
        # so that no request is ever taken for an order
        client.updateReqId(REQUESTS)  # type: ignore[no-untyped-call]
        self._reports = Reports(
            gateway, self._hear, self._doubt, self._currency, self._contracts.name
        )
        self._reports.listen()
        gateway.ib.errorEvent += self._notice
        try:
            await self._contracts.qualify(gateway)
        except (ReportUnreadable, AmountOutOfRange) as why:
            raise BrokerUnavailable(f"a contract's details can't be read: {why}") from why
        for symbol, refusal in self._contracts.refused.items():
            log.warning("ib_symbol_refused", extra={"symbol": symbol, "detail": refusal})
        self._asked_back.clear()
        self._unanswered.clear()
        self._gateway = gateway
        self._connection += 1
        self._news.set()
        log.info("ib_connected", extra={"gateway": self._where, "number": self._connection})

    def _notice(
        self, _request: int, code: int, text: str, _contract: ib_async.Contract | None
    ) -> None:
        """Let the books be compared again when the gateway found its servers again."""
        if action(code) in {Action.BACK, Action.BACK_DATA_LOST}:
            self._doubt(f"{code}: {text}")

    def _doubt(self, why: str) -> None:
        """Let nothing be sent before the books were compared again."""
        log.warning("ib_compares_again", extra={"detail": why})
        self._asked_back.clear()
        self._unanswered.clear()
        self._connection += 1
        self._news.set()

    def _hear(self, report: RecordStatus | RecordFill) -> None:
        """Pass a report on."""
        self._unanswered.discard(report.order_id)
        self._news.set()
        if isinstance(report, RecordFill):
            self._cash.note(report)
        self._tell(report)
