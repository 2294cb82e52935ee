"""What the gateway says of orders before they go: "what if", over a connection of its own.

It has a client id of its own, under which no order ever goes. So no number of an order is used up,
whatever a gateway makes of the numbers of such questions; no answer can be taken for word of an
order; and what hangs or breaks here holds up no order and no cancel.
"""

import asyncio
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

import ib_async
from ib_async import Contract, OrderState, RequestError
from ib_async.util import UNSET_DOUBLE
from msgspec.structs import replace

from daemon.brokers.ib.gateway import Address, Gateway, State
from daemon.brokers.ib.orders import OrderUnsendable
from daemon.brokers.ib.outbound import Outbound
from daemon.brokers.ib.wire_errors import Action, action
from daemon.seams import BrokerUnavailable
from state.instrument import AmountOutOfRange, money
from state.order import Order
from state.plan import Preview
from state.preview import unknown

AT_ONCE: Final = 8  # questions under way; the gateway takes 50 messages a second of everybody
GOES_ON: Final = frozenset({Action.LIVE, Action.NOTE})  # a notice: the answer is still to come
NUMBERLESS: Final = "the gateway answered without numbers"


class Previewer:
    """Asks about the orders of one plan at a time, for `limit` seconds at most, waiting included.

    `address` has the client id of the questions, which must not be that of orders.
    """

    def __init__(self, address: Address, limit: float) -> None:
        self._address, self._limit = address, limit
        self._one = asyncio.Lock()

    async def of(self, orders: Sequence[Order], outbound: Outbound) -> tuple[Preview, ...]:
        """Return what the gateway says of each, or why that isn't known."""
        told: dict[str, Preview] = {}
        asked: dict[str, tuple[Order, Contract, ib_async.Order]] = {}
        for order in orders:
            try:
                asked[order.order_id] = order, *outbound.of(replace(order, broker_oid=0))
            except OrderUnsendable as why:
                told[order.order_id] = unknown(order.symbol, order.quantity, str(why))
        why_not = await self._within(asked, told) if asked else ""
        return tuple(
            told.get(order.order_id) or unknown(order.symbol, order.quantity, why_not)
            for order in orders
        )

    async def _within(
        self,
        asked: dict[str, tuple[Order, Contract, ib_async.Order]],
        told: dict[str, Preview],
    ) -> str:
        """Put answers into `told` while there is time; return why the others are not known."""
        gateway = Gateway(self._address, self._limit)
        try:
            async with asyncio.timeout(self._limit), self._one:
                await gateway.connect()
                turns = asyncio.Semaphore(AT_ONCE)
                async with asyncio.TaskGroup() as tasks:
                    for name, (order, contract, sent) in asked.items():
                        tasks.create_task(
                            put(told, name, order, Question(gateway, contract, sent), turns)
                        )
        except TimeoutError:
            lost = f": {gateway.reason}" if gateway.state is State.UPSTREAM_LOST else ""
            return f"the gateway did not answer within {self._limit:g} s{lost}"
        except BrokerUnavailable as why:
            return str(why)
        finally:
            gateway.close("the plan was asked about")
        return NUMBERLESS


async def put(
    told: dict[str, Preview],
    name: str,
    order: Order,
    question: "Question",
    turns: asyncio.Semaphore,
) -> None:
    """Ask when it is its turn, and put down what came of it."""
    async with turns:
        try:
            told[name] = preview(order, await question.answer(), question.notice)
        except BrokerUnavailable as why:
            told[name] = unknown(order.symbol, order.quantity, str(why))


class Question:
    """One order that is asked about; `notice` is what the gateway remarked meanwhile."""

    def __init__(self, gateway: Gateway, contract: Contract, order: ib_async.Order) -> None:
        self._gateway, self._contract, self._order = gateway, contract, order
        self._failed: asyncio.Future[OrderState] = asyncio.get_running_loop().create_future()
        self.notice = ""

    async def answer(self) -> OrderState:
        """Return the answer, however long it takes; raise BrokerUnavailable for a refusal."""
        ib = self._gateway.ib
        ib.errorEvent += self._heard
        answered: asyncio.Future[OrderState] | None = None
        try:
            answered = asyncio.ensure_future(ib.whatIfOrderAsync(self._contract, self._order))
            await asyncio.wait({answered, self._failed}, return_when=asyncio.FIRST_COMPLETED)
            state = (answered if answered.done() else self._failed).result()
        except RequestError as why:
            raise BrokerUnavailable(f"{why.code}: {why.message}") from why
        except OSError as why:
            said = self._gateway.reason or str(why) or "the gateway closed the connection"
            raise BrokerUnavailable(said) from why
        finally:
            ib.errorEvent -= self._heard
            for future in (answered, self._failed):
                if future is not None and not future.cancel() and not future.cancelled():
                    future.exception()  # seen
        if not isinstance(state, OrderState):
            raise BrokerUnavailable("the gateway gave an empty answer, as of a rejection")
        return state

    def _heard(self, _request: int, code: int, text: str, contract: Contract | None) -> None:
        """Note what is said of this question; the library lets some refusals hang for ever."""
        if contract is not self._contract:
            return
        if action(code) in GOES_ON:
            self.notice = f"{code}: {text}"
        elif not self._failed.done():
            self._failed.set_exception(BrokerUnavailable(f"{code}: {text}"))


def preview(order: Order, state: OrderState, notice: str) -> Preview:
    """Return an answer as a preview; without one number it says that there was none."""
    fee, least, most = map(number, (state.commission, state.minCommission, state.maxCommission))
    told = Preview(
        order.symbol,
        order.quantity,
        commission_least=least if least is not None else fee,
        commission_most=most if most is not None else fee,
        commission_currency=state.commissionCurrency,
        initial_margin=number(state.initMarginChange),
        maintenance_margin=number(state.maintMarginChange),
        equity_with_loan=number(state.equityWithLoanAfter),
        warning="; ".join(filter(None, (state.warningText, notice))),
    )
    numbers = (
        *(told.commission_least, told.commission_most, told.initial_margin),
        *(told.maintenance_margin, told.equity_with_loan),
    )
    if all(each is None for each in numbers):
        return replace(told, unknown=f"not known, because {NUMBERLESS}")
    return told


def number(said: str | float) -> Decimal | None:
    """Return a number of an answer; None where it is left out, unset, or no amount."""
    try:
        value = Decimal(str(said))
        return None if value == Decimal(str(UNSET_DOUBLE)) else money(value)
    except (InvalidOperation, AmountOutOfRange):
        return None
