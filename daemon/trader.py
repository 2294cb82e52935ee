"""Bar to target to order: what happens at each close, in the order in which it must."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import date
from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

from daemon.blending import Blend
from daemon.engine import Engine
from daemon.message import Answer
from daemon.mind import Mind
from daemon.seams import Broker
from daemon.sender import Sender
from state.command import Cause, CloseBars, Rebalance
from state.instrument import Symbol
from state.order import OrderId, request_id
from state.quote import Close, Quote

AHEAD: Final = 64  # closes on their way into the journal, while nothing depends on them

Propose = Callable[[NDArray[np.float64], NDArray[np.float64]], Mapping[Symbol, float] | None]

log = logging.getLogger(__name__)


class Closes:
    """The last `window` closes of each symbol, (T, N), oldest first; NaN where one is missing."""

    def __init__(self, symbols: Sequence[Symbol], window: int) -> None:
        self.symbols = tuple(symbols)
        self._column = {symbol: n for n, symbol in enumerate(self.symbols)}
        self._rows = np.full((4 * window, len(self.symbols)), np.nan)
        self.window, self._end = window, 0
        self.last = np.full(len(self.symbols), np.nan)  # the last price known of each

    def append(self, close: Close) -> None:
        """Take one more close in."""
        if self._end == len(self._rows):
            self._rows[: self.window] = self._rows[-self.window :]
            self._end = self.window
        row = self._rows[self._end]
        row[:] = np.nan
        for bar in close.bars:
            if (n := self._column.get(bar.symbol)) is not None:
                row[n] = float(bar.close)
        self.last = np.where(np.isfinite(row), row, self.last)
        self._end += 1

    def extend(self, rows: NDArray[np.float64]) -> None:
        """Take closes (T, N) from before the start in."""
        for row in rows:
            self.last = np.where(np.isfinite(row), row, self.last)
        kept = rows[-self.window :]
        self._rows[: len(kept)] = kept
        self._end = len(kept)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Return what is known, (T, N) with T at most the window."""
        return self._rows[max(0, self._end - self.window) : self._end]


class Trader:
    """Carries each close through broker, strategy and engine, and rebalances when it is due."""

    def __init__(
        self,
        engine: Engine,
        broker: Broker,
        sender: Sender,
        closes: Closes,
        propose: Propose,
        *,
        strategy: str,
        account: str,
        due: Callable[[date], bool] | None,
        mind: Mind | None = None,
        blend: Blend | None = None,
    ) -> None:
        self._engine, self._broker, self._sender = engine, broker, sender
        self._closes, self._propose = closes, propose
        self._strategy, self._account, self._due = strategy, account, due
        self._mind, self._blend = mind, blend
        self._ahead: deque[asyncio.Future[Answer]] = deque()

    async def on_close(self, close: Close) -> None:
        """Let the broker fill by `close`, mark the book, and trade when a rebalance is due.

        While no order is open nothing depends on the journal's answer, so closes may be a little
        ahead of it; with open orders each step waits for the one before.
        """
        due = self._due is not None and self._due(close.session)
        with self._engine.closing():
            trading = self._engine.asked or bool(self._engine.snapshot.open_orders)
            if trading:
                await self.caught_up()
                await self._sender.flushed()
            await self._broker.on_close(close)
            self._closes.append(close)
            wanted = due or self._due is None
            if trading and (wanted or self._mind is not None):
                await self.caught_up()  # what is said to be held includes this close's fills
            targets, belief, undecided, blend = None, None, "", None
            if self._blend is not None:  # every close counts, as it does for the mind
                if self._blend.halted:
                    await self.caught_up()  # whether it still is
                halts = self._engine.snapshot.halts
                decided = await self._blend.think(close, self._closes.matrix, halts)
                if decided is not None:
                    belief, blend = decided.belief, decided.blend
                    if wanted:
                        targets, undecided = decided.targets, decided.why
            elif self._mind is not None:  # every close counts, whether its targets do or not
                outcome = await self._mind.think(close, self._weights())
                forbidden = self._mind.forbidden  # old targets aren't traded either
                if outcome is not None:
                    targets = outcome.targets if wanted and not forbidden else None
                    belief = outcome.belief
                elif wanted:
                    undecided = self._mind.facts().failure or "it has no belief yet"
                undecided = forbidden or undecided
            elif wanted:
                targets, undecided = self._targets(close)
            command = CloseBars(
                close.at,
                close.session,
                close.bars,
                targets,
                self._strategy,
                missed=close.missed,
                belief=belief,
                undecided=undecided,
                blend=blend,
            )
            self._ahead.append(self._engine.send(command))
        if due:
            await self._rebalance(self._key(close.session))  # in the close's own commit
        elif len(self._ahead) >= AHEAD:
            await self._ahead.popleft()

    def warm(self, history: Callable[[int], NDArray[np.float64]]) -> None:
        """Take the closes of `history`, asked for so many, in place of those from the start."""
        self._closes.extend(history(self._closes.window))

    async def on_quotes(self, quotes: Collection[Quote]) -> None:
        """Let the broker fill what is open by quotes; where nothing is open they are no news."""
        wanted = {order.symbol for order in self._engine.snapshot.open_orders}
        for quote in quotes:
            if quote.symbol in wanted:
                await self._broker.on_quote(quote)

    async def resume(self, lost: Callable[[str], Awaitable[OrderId | None]]) -> None:
        """Do what the run before left undone at the last close, once the books agree.

        That is the rebalance, if it was due and not decided yet; and to decide anew where an order
        of it never reached the broker, for that one is never sent again. `lost` finds the newest
        such order of the commands whose keys begin with a text.
        """
        now = self._engine.snapshot
        if now.session is None or now.strategy != self._strategy:
            return
        if self._due is not None and self._due(now.session):
            key = self._key(now.session)
            await self._rebalance(key)
            if (order_id := await lost(key)) is not None:
                await self._rebalance(f"{key}|{order_id}")

    async def caught_up(self) -> None:
        """Return once every close so far, and what the broker said by it, is durable."""
        while self._ahead:
            await self._ahead.popleft()
        await self._engine.settled()

    def _weights(self) -> NDArray[np.float64]:
        """Return what is held of each symbol at its last price, as a fraction of equity."""
        ledger = self._engine.snapshot.ledger
        held = np.array([float(ledger.held(symbol)) for symbol in self._closes.symbols])
        values = np.where(held != 0.0, held * self._closes.last, 0.0)
        equity = float(ledger.cash) + float(values.sum())
        return values / equity if equity > 0 else np.zeros_like(values)

    def _targets(self, close: Close) -> tuple[dict[Symbol, float] | None, str]:
        """Return what the strategy wants, and why it failed when it did."""
        try:
            targets = self._propose(self._closes.matrix, self._weights())
        except Exception as e:
            log.exception("strategy_failed", extra={"session": close.session.isoformat()})
            return None, str(e) or type(e).__name__
        return None if targets is None else dict(targets), ""

    def _key(self, session: date) -> str:
        """Return the key of a session's rebalance by the clock: there is one, whatever happens."""
        return f"auto|{self._account}|{session.isoformat()}|rebalance"

    async def _rebalance(self, key: str) -> None:
        """Rebalance, once for each key; at the end of a feed that may go on it stays unused."""
        if self._engine.moment().feed_ended:
            log.info("rebalance_waits", extra={"key": key})
            return
        digest = blake2b(b"auto-rebalance", digest_size=16).hexdigest()
        answer = await self._engine.tell(
            Rebalance(), Cause(request_id(key), key, "rebalance", "trader", digest)
        )
        if answer.reply is not None and answer.reply.error is not None:
            log.info("rebalance", extra={"key": key, "code": answer.reply.error.code})
