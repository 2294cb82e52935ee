"""What the gateway knows of each symbol: asked once, and then the key is its contract id."""

from bisect import bisect_right
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Final

import msgspec
from ib_async import Contract, ContractDetails, RequestError, Stock

from daemon.brokers.ib.executions import exact
from daemon.brokers.ib.gateway import Gateway
from daemon.brokers.ib.orders import ROUTE, contract
from daemon.seams import BrokerUnavailable
from state.instrument import ONE, ZERO, Instrument, Symbol

UNKNOWN: Final = 200  # no contract, or more than one

Bands = tuple[tuple[Decimal, Decimal], ...]  # from which price on, which tick; ascending


class Listed(msgspec.Struct, frozen=True):
    """One symbol at the gateway: `bands` are its ticks by price, `lot` what it trades in."""

    instrument: Instrument
    con_id: int
    bands: Bands
    lot: Decimal

    @property
    def contract(self) -> Contract:
        """Return what to order by: our own, for that of a position has no exchange."""
        return contract(self.instrument, self.con_id)

    def at(self, price: Decimal | None) -> Instrument:
        """Return the instrument with the tick it has at `price`, and the gateway's lot."""
        tick = tick_at(self.bands, price) if price is not None else self.bands[0][1]
        return msgspec.structs.replace(self.instrument, tick=tick, lot=self.lot)


def tick_at(bands: Bands, price: Decimal) -> Decimal:
    """Return the tick of the highest band that begins at or below `price`."""
    return bands[max(bisect_right([low for low, _ in bands], price) - 1, 0)][1]


class Contracts:
    """The symbols that were found, and why the others were not; kept over connections."""

    def __init__(self, instruments: Sequence[Instrument], currency: str) -> None:
        self._instruments, self._currency = instruments, currency
        self.listed: dict[Symbol, Listed] = {}
        self.refused: dict[Symbol, str] = {}
        self._symbols: dict[int, Symbol] = {}

    def name(self, traded: Contract) -> Symbol:
        """Return our symbol of a contract; where only the letters are the same, one of its own."""
        ours = self._symbols.get(traded.conId)
        if ours is not None:
            return ours
        return f"{traded.symbol}.{traded.conId}" if traded.symbol in self.listed else traded.symbol

    def why_not(self, symbol: Symbol) -> str:
        """Return why a symbol that is not listed can't be ordered."""
        asked = any(symbol == instrument.symbol for instrument in self._instruments)
        unasked = f"the gateway could not yet be asked what {symbol} is"
        unknown = unasked if asked else f"{symbol} is not in the universe"
        return self.refused.get(symbol, unknown)

    async def qualify(self, gateway: Gateway) -> None:
        """Ask for each symbol that nothing is known of; raise BrokerUnavailable, and ask again."""
        for instrument in self._instruments:
            symbol = instrument.symbol
            if symbol in self.listed or symbol in self.refused:
                continue
            if instrument.currency != self._currency:
                self.refused[symbol] = (
                    f"{symbol} trades in {instrument.currency}, the account is kept in "
                    f"{self._currency}: buying it would borrow money, and nothing here converts"
                )
                continue
            found = await details(gateway, instrument)
            if len(found) != 1:
                what = "no contract" if not found else f"{len(found)} contracts"
                self.refused[symbol] = (
                    f"the gateway has {what} of {symbol} in {instrument.currency} at {ROUTE}"
                )
                continue
            one = await listed(gateway, instrument, found[0])
            self.listed[symbol], self._symbols[one.con_id] = one, symbol


async def details(gateway: Gateway, instrument: Instrument) -> Sequence[ContractDetails]:
    """Return what there is of a symbol in its currency; raise BrokerUnavailable."""
    wanted = Stock(instrument.symbol, ROUTE, instrument.currency)
    ask = partial(gateway.ib.reqContractDetailsAsync, wanted)
    return await gateway.answer(
        f"the contract of {instrument.symbol}", partial(unless_unknown, ask)
    )


async def unless_unknown(
    ask: Callable[[], Awaitable[list[ContractDetails]]],
) -> Sequence[ContractDetails]:
    """Return the answer, nothing where the gateway says that there is no such contract."""
    try:
        return await ask()
    except RequestError as why:
        if why.code == UNKNOWN:
            return ()
        raise


async def listed(gateway: Gateway, instrument: Instrument, found: ContractDetails) -> Listed:
    """Return a symbol as its details and its market rule have it; raise BrokerUnavailable."""
    assert found.contract is not None
    rules = dict(zip(found.validExchanges.split(","), found.marketRuleIds.split(","), strict=False))
    bands: Bands = ((ZERO, exact(found.minTick)),)
    if (rule := rules.get(ROUTE, "")).isdecimal():
        ask = partial(gateway.ib.reqMarketRuleAsync, int(rule))
        told = await gateway.answer(f"market rule {rule}", ask)
        if not told:  # it is waited for a second and no longer
            raise BrokerUnavailable(f"the gateway did not answer about market rule {rule}")
        bands = tuple(sorted((exact(b.lowEdge), exact(b.increment)) for b in told))
    least = (exact(found.sizeIncrement), exact(found.minSize))
    lot = max(ONE, instrument.lot, *least)  # fractions are refused for most accounts
    return Listed(instrument, found.contract.conId, bands, lot)
