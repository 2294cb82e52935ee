"""One connection to the gateway: made, probed, and given up; never mended."""

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Final, TypeVar

import msgspec
from ib_async import IB, Contract, RequestError
from ib_async.ib import StartupFetchNONE

from daemon.brokers.ib.wire_errors import Action, action
from daemon.seams import BrokerUnavailable

T = TypeVar("T")
PATIENCE: Final = 20.0  # seconds for each answer


class ClientIdInUse(BrokerUnavailable):
    """Another session has our client id. It may be our own of before: the same id is tried again.

    Another id could neither see nor cancel the orders of this one.
    """


class AccountUnknown(BrokerUnavailable):
    """The login behind the gateway has other accounts."""


class State(StrEnum):
    """How far an order would get. Orders go only when ready."""

    DOWN = "down"
    CONNECTED = "connected"  # and nothing compared yet
    UPSTREAM_LOST = "upstream lost"  # the gateway has no connection to its servers
    READY = "ready"


class Address(msgspec.Struct, frozen=True):
    """Where the gateway is, and who we are there; `client_id` is fixed and never 0."""

    host: str
    port: int
    client_id: int
    account: str


class Gateway:
    """One connection, of one IB object that is never connected again."""

    def __init__(self, address: Address, patience: float = PATIENCE) -> None:
        self.address, self.state, self.reason = address, State.DOWN, "never connected"
        self._patience = patience
        self._refused = asyncio.Event()
        self.gone = asyncio.Event()  # set when there is no connection any more
        self.ib = IB()
        self.ib.RaiseRequestErrors = True
        self.ib.errorEvent += self._heard
        self.ib.disconnectedEvent += self._gone

    async def connect(self) -> None:
        """Connect within the patience; raise ClientIdInUse or BrokerUnavailable, and be down."""
        at = self.address
        connecting = asyncio.ensure_future(
            self.ib.connectAsync(
                at.host,
                at.port,
                clientId=at.client_id,
                timeout=self._patience,
                raiseSyncErrors=True,
                fetchFields=StartupFetchNONE,
            )
        )
        refused = asyncio.ensure_future(self._refused.wait())
        try:
            await asyncio.wait({connecting, refused}, return_when=asyncio.FIRST_COMPLETED)
            self._check(connecting)
        except BaseException as why:
            self.close(str(why) or type(why).__name__)
            raise
        finally:
            for task in (connecting, refused):
                task.cancel()
            await asyncio.gather(connecting, refused, return_exceptions=True)
        if self.state is State.DOWN:
            self.state, self.reason = State.CONNECTED, ""

    def _check(self, connecting: asyncio.Future[object]) -> None:
        """Return if the connection is ours to use; raise ClientIdInUse or BrokerUnavailable."""
        at = self.address
        if self._refused.is_set():
            raise ClientIdInUse(f"client id {at.client_id} is in use at {at.host}:{at.port}")
        try:
            connecting.result()
        except (OSError, TimeoutError) as why:
            said = str(why) or type(why).__name__
            raise BrokerUnavailable(f"no gateway at {at.host}:{at.port}: {said}") from why
        if at.account not in self.ib.managedAccounts():
            raise AccountUnknown(f"the gateway at {at.host}:{at.port} has no {at.account}")

    async def probe(self) -> None:
        """Ask for the time; without an answer be down and raise BrokerUnavailable."""
        await self.answer("the time", self.ib.reqCurrentTimeAsync)

    async def answer(self, what: str, ask: Callable[[], Awaitable[T]]) -> T:
        """Return an answer within the patience; without one be down and raise BrokerUnavailable.

        An answer that has no end is none: a list that stopped is never taken for a short one. An
        error in its place is no answer either, but the connection holds. `ask` is called here, for
        a connection that broke this moment raises as soon as it is asked.
        """
        try:
            return await asyncio.wait_for(ask(), self._patience)
        except (OSError, TimeoutError) as why:
            self.close(f"no answer about {what}")
            raise BrokerUnavailable(f"the gateway did not answer about {what}") from why
        except RequestError as why:
            raise BrokerUnavailable(f"about {what}: {why.code}: {why.message}") from why

    def compared(self) -> None:
        """Be ready, when the books were compared and nothing was lost meanwhile."""
        if self.state is State.CONNECTED:
            self.state = State.READY

    def close(self, reason: str) -> None:
        """Let go of the connection for good."""
        self.ib.errorEvent -= self._heard
        self.ib.disconnectedEvent -= self._gone
        client = self.ib.client
        # one that was refused before it was ready has no statistics to say good-bye with
        (self.ib if client.isReady() else client).disconnect()
        self.state, self.reason = State.DOWN, reason
        self.gone.set()

    def _gone(self) -> None:
        """Be down: the socket closed."""
        self.state, self.reason = State.DOWN, "the gateway closed the connection"
        self.gone.set()

    def _heard(self, _request: int, code: int, text: str, _contract: Contract | None) -> None:
        """Take a notice about the connection."""
        match action(code):
            case Action.CLIENT_ID_IN_USE:
                self._refused.set()
            case Action.UPSTREAM_LOST:
                self.state, self.reason = State.UPSTREAM_LOST, f"{code}: {text}"
            case Action.BACK | Action.BACK_DATA_LOST if self.state is not State.DOWN:
                self.state, self.reason = State.CONNECTED, ""
