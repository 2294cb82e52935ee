"""A drill at a paper account: small limit orders far from the market, to see what a gateway does.

What the adapter relies on is written down from reports of others; this asks the gateway itself. It
fills nothing, and takes every order of its own back.
"""

import logging
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Final

import ib_async
import msgspec

from control.diagnosis import Finding
from daemon.brokers.ib.contracts import Contracts, Listed
from daemon.brokers.ib.drill_questions import NoDrill, last_close, what_if
from daemon.brokers.ib.examining import of_contracts, of_skew, prices
from daemon.brokers.ib.executions import ReportUnreadable
from daemon.brokers.ib.gateway import Address, ClientIdInUse, Gateway
from daemon.brokers.ib.orders import on_tick
from daemon.brokers.ib.recording import Recording
from daemon.brokers.ib.wire_errors import TABLE
from daemon.seams import BrokerUnavailable, Clock
from state.instrument import AmountOutOfRange, Instrument

LOOK: Final = 0.02
FAR: Final = Decimal("0.7")  # of the last close: a purchase there fills with nobody
LONGEST: Final = 64  # letters of a reference; ours have at most 40
OURS: Final = 40
FREED: Final = 60.0  # seconds that a client id may stay taken after its connection ended
UNKNOWN: Final = 999_999_000  # an order id that nobody used
ENDED: Final = frozenset({"Cancelled", "ApiCancelled", "Inactive"})
TELL: Final = "tell the maintainers, with the recorded file: the adapter relies on the opposite"


class Drill:
    """One drill, over one connection and then another; `findings` are in the order of asking."""

    def __init__(
        self,
        address: Address,
        instrument: Instrument,
        currency: str,
        clock: Clock,
        recording: Recording,
        patience: float,
    ) -> None:
        self.findings: list[Finding] = []
        self._address, self._clock = address, clock
        self._recording, self._patience = recording, patience
        self._contracts = Contracts((instrument,), currency)
        self._errors: dict[int, list[tuple[int, str]]] = {}
        self._gateway: Gateway | None = None

    async def run(self) -> None:
        """Go through all of it; raise BrokerUnavailable or NoDrill, with nothing left open."""
        logging.getLogger("ib_async").setLevel(logging.CRITICAL)
        try:
            gateway = await self._connected()
            listed, price = await self._prepared(gateway)
            try:
                await self._ordered(gateway, listed, price)
            finally:
                await self._swept()
        finally:
            if self._gateway is not None:
                self._gateway.close("the drill is over")

    async def _connected(self) -> Gateway:
        """Return a new connection; raise BrokerUnavailable."""
        gateway = self._gateway = Gateway(self._address, self._patience)
        self._recording.listen(gateway)
        gateway.ib.errorEvent += self._heard
        await gateway.connect()
        return gateway

    def _heard(
        self, request: int, code: int, text: str, _contract: ib_async.Contract | None
    ) -> None:
        self._errors.setdefault(request, []).append((code, text))

    def _say(self, name: str, good: bool, found: str, remedy: str = TELL) -> None:
        self.findings.append(
            Finding(f"drill: {name}", "ok" if good else "warn", found, "" if good else remedy)
        )

    async def _until(self, true: Callable[[], bool], seconds: float | None = None) -> bool:
        """Return whether it became true in time."""
        left = self._patience if seconds is None else seconds
        while not true() and left > 0:
            await self._clock.sleep(LOOK)
            left -= LOOK
        return true()

    async def _prepared(self, gateway: Gateway) -> tuple[Listed, Decimal]:
        """Ask what needs no order, and return the contract and a price far below the market's."""
        ib = gateway.ib
        told = await gateway.answer("the time", ib.reqCurrentTimeAsync)
        self._keep("clock", of_skew(told - self._clock.wall()))
        try:
            await self._contracts.qualify(gateway)
        except (ReportUnreadable, AmountOutOfRange) as why:
            raise NoDrill(f"the contract's details can't be read: {why}") from why
        self._keep("contract", of_contracts(self._contracts, 1))
        if not self._contracts.listed:
            raise NoDrill("; ".join(self._contracts.refused.values()))
        (listed,) = self._contracts.listed.values()
        bands = ", ".join(f"{tick} from {low}" for low, tick in listed.bands)
        self._say("ticks", True, f"{bands}; lots of {listed.lot}")
        self._keep("market data", await prices(gateway, listed, self._clock))
        last = await last_close(gateway, listed, self._patience)
        self._say("history", True, f"the last close is {last}")
        price = on_tick(last * FAR, listed.at(last * FAR).tick, buys=True)
        order = self._order(gateway, price, "TM1.WHATIF")
        good, found = await what_if(gateway, listed, order, self._patience)
        self._say("what if", good, found)
        fills = await gateway.answer("executions", ib.reqExecutionsAsync)
        first = min((fill.execution.time for fill in fills), default=None)
        self._say("executions", True, f"{len(fills)}, the earliest of {first or 'none'}")
        return listed, price

    def _keep(self, name: str, finding: Finding) -> None:
        self.findings.append(msgspec.structs.replace(finding, name=f"drill: {name}"))

    def _order(self, gateway: Gateway, price: Decimal, ref: str) -> ib_async.Order:
        return ib_async.LimitOrder(
            "BUY",
            1,
            float(price),
            orderId=gateway.ib.client.getReqId(),
            orderRef=ref,
            account=self._address.account,
            tif="DAY",
        )

    async def _opened(self, gateway: Gateway) -> Sequence[ib_async.Trade]:
        """Return what the gateway lists as open and ours; raise BrokerUnavailable."""
        listed = await gateway.answer("open orders", gateway.ib.reqAllOpenOrdersAsync)
        return [one for one in listed if one.order.clientId == self._address.client_id]

    async def _ordered(self, gateway: Gateway, listed: Listed, price: Decimal) -> None:
        """Place, reconnect, and take back; raise BrokerUnavailable."""
        order = self._order(gateway, price, "")
        ref = order.orderRef = f"TM1.DRILL{order.orderId:010}.".ljust(LONGEST, "x")
        trade = gateway.ib.placeOrder(listed.contract, order)
        known = await self._until(lambda: trade.order.permId > 0)
        status = trade.orderStatus.status
        self._say("order", known, f"{status}, permanent id {'given' if known else 'not given'}")
        if not known:
            said = self._errors.get(order.orderId, [])
            raise NoDrill(f"the order was not taken: {said}")
        gateway, seconds = await self._again()
        self._say(
            "restart", True, f"connected again after {seconds:.0f} s under the same client id"
        )
        await self._second_client()
        found = [one for one in await self._opened(gateway) if one.order.orderId == order.orderId]
        back = found[0].order.orderRef if found else ""
        self._say("open order comes back", bool(found), f"{len(found)} of 1 after the restart")
        whole = len(back) if ref.startswith(back) else 0
        self._say(
            "order reference",
            whole >= OURS,
            f"{whole} of {LONGEST} letters came back, ours have at most {OURS}",
        )
        next_id = gateway.ib.client.getReqId()
        self._say("order ids", next_id > order.orderId, f"{next_id} after {order.orderId} was used")
        await self._off_tick(gateway, listed, price)
        await self._cancelled(gateway, listed, order.orderId, price)

    async def _again(self) -> tuple[Gateway, float]:
        """Break the connection, and return the next one and how long the id stayed taken."""
        assert self._gateway is not None
        self._gateway.close("the drill breaks it")
        began = self._clock.mono()
        while True:
            try:
                return await self._connected(), self._clock.mono() - began
            except ClientIdInUse:
                if self._clock.mono() - began > FREED:
                    raise
                await self._clock.sleep(1.0)

    async def _second_client(self) -> None:
        other = Gateway(self._address, self._patience)
        self._recording.listen(other)
        try:
            await other.connect()
        except ClientIdInUse:
            self._say("second client", True, "refused under the same client id (326)")
        except BrokerUnavailable as why:
            self._say("second client", False, f"not refused by 326: {why}")
        else:
            self._say("second client", False, "let in under the same client id")
        finally:
            other.close("it was only to be refused")

    async def _off_tick(self, gateway: Gateway, listed: Listed, price: Decimal) -> None:
        """Place an order between two ticks: it must be refused, or the adapter rounds in vain."""
        between = price + listed.at(price).tick / 2
        order = self._order(gateway, between, "TM1.DRILL.OFFTICK")
        client: Any = gateway.ib.client  # by itself it keeps no book of the order
        client.placeOrder(order.orderId, listed.contract, order)

        def refused() -> bool:
            return bool(self._errors.get(order.orderId))

        def taken() -> bool:
            return any(one.order.orderId == order.orderId for one in gateway.ib.trades())

        if not await self._until(lambda: refused() or taken()) or not refused():
            await self._until(refused, 1.0)
        codes = [code for code, _ in self._errors.get(order.orderId, [])]
        live = any(one.order.orderId == order.orderId for one in await self._opened(gateway))
        said = f"refused by {codes}" if codes else "taken"
        self._say("between ticks", not live, f"{between} was {said}", "it rounds by itself")

    async def _cancelled(
        self, gateway: Gateway, listed: Listed, order_id: int, price: Decimal
    ) -> None:
        """Take the order back, twice, use its id again, and look for it among the completed."""
        client: Any = gateway.ib.client
        client.cancelOrder(order_id)
        client.cancelOrder(order_id)  # races the first: whatever it is called must be known

        def over() -> bool:
            return any(
                trade.order.orderId == order_id and trade.orderStatus.status in ENDED
                for trade in gateway.ib.trades()
            )

        ended = await self._until(over)
        left = [one for one in await self._opened(gateway) if one.order.orderId == order_id]
        gone = ended and all(one.orderStatus.status in ENDED for one in left)
        self._say("cancel", gone, "cancelled" if gone else "not cancelled in time")
        self._known_codes("cancel race", order_id)

        again = self._order(gateway, price, "TM1.DRILL.AGAIN")
        again.orderId = order_id
        before = len(self._errors.get(order_id, []))
        client.placeOrder(order_id, listed.contract, again)
        await self._until(lambda: len(self._errors.get(order_id, [])) > before)
        codes = [code for code, _ in self._errors.get(order_id, [])[before:]]
        live = [
            one
            for one in await self._opened(gateway)
            if one.order.orderId == order_id and one.orderStatus.status not in ENDED
        ]
        said = f"refused by {codes}" if codes and not live else "taken"
        self._say("repeated order id", not live, f"an order under a used id was {said}")

        client.cancelOrder(UNKNOWN)
        await self._until(lambda: bool(self._errors.get(UNKNOWN)))
        self._known_codes("cancel of nothing", UNKNOWN)
        ask = partial(gateway.ib.reqCompletedOrdersAsync, False)
        done = await gateway.answer("completed orders", ask)
        mine = [one for one in done if one.order.orderRef.startswith("TM1.DRILL")]
        self._say(
            "completed orders", bool(mine), f"{len(done)}, of which {len(mine)} are of drills"
        )

    def _known_codes(self, name: str, order_id: int) -> None:
        codes = [code for code, _ in self._errors.get(order_id, [])]
        known = all(code in TABLE for code in codes)
        self._say(name, known, f"answered by {codes or 'nothing'}")

    async def _swept(self) -> None:
        """Take back whatever of ours is still open; raise BrokerUnavailable."""
        if self._gateway is None or self._gateway.gone.is_set():
            await self._connected()
        assert self._gateway is not None
        gateway = self._gateway
        mine = [
            one
            for one in await self._opened(gateway)
            if one.order.orderRef.startswith("TM1.DRILL") and one.orderStatus.status not in ENDED
        ]
        client: Any = gateway.ib.client
        for one in mine:
            client.cancelOrder(one.order.orderId)
        if mine:
            await self._clock.sleep(1.0)
            left = [o for o in await self._opened(gateway) if o.orderStatus.status not in ENDED]
            if left:
                ids = [one.order.orderId for one in left]
                remedy = "cancel them at the gateway's own screen"
                self.findings.append(Finding("drill: left open", "bad", f"orders {ids}", remedy))
