"""What `tm doctor` finds at the gateway, step by step; the first that fails ends the way."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from ib_async import Contract
from msgspec.structs import replace

from control.diagnosis import Finding
from daemon.brokers.ib.arming import LiveNotArmed, check_armed, is_paper
from daemon.brokers.ib.configured import GatewayImpossible, described
from daemon.brokers.ib.contracts import Contracts, Listed
from daemon.brokers.ib.executions import ReportUnreadable
from daemon.brokers.ib.gateway import AccountUnknown, Address, ClientIdInUse, Gateway
from daemon.brokers.ib.restarting import restart_of
from daemon.brokers.ib.wire_errors import Action, action
from daemon.clock import SystemClock
from daemon.seams import BrokerUnavailable, Clock
from state.instrument import AmountOutOfRange
from state.settings import InteractiveBrokers, Settings

STAND_IN: Final = 1_000_000  # added to our client id where that one is held: questions only
SKEW: Final = timedelta(seconds=5)  # that is worth a word; the gateway tells whole seconds
WRONG: Final = timedelta(minutes=1)  # that puts sessions and days of executions in doubt
FIRST_PRICE: Final = 10.0  # seconds that a first price, or its refusal, may take
LOOK: Final = 0.05
KINDS: Final = {1: "live", 2: "frozen", 3: "delayed", 4: "delayed and frozen"}


class Ended(Exception):
    """Nothing more can be asked; what was found says why."""


async def examined(
    settings: Settings, *, daemon_is_there: bool, clock: Clock | None = None
) -> Sequence[Finding]:
    """Return what the gateway of the configuration answers to one question after the other."""
    logging.getLogger("ib_async").setLevel(logging.CRITICAL)  # what it says is found here
    patient = clock or SystemClock()
    try:
        ib = described(settings)
        found = [armed(ib), restarting(ib, patient.wall())]
    except GatewayImpossible as why:
        return [Finding("gateway settings", "bad", str(why), "mend [ib], then `tmd --check`")]
    try:
        gateway = await connected(settings, ib, found, daemon_is_there=daemon_is_there)
    except Ended:
        return found
    try:
        await questioned(gateway, settings, ib, patient, found)
    except BrokerUnavailable as why:
        found.append(Finding("gateway", "bad", str(why), "restart the gateway, and ask again"))
    finally:
        gateway.close("the doctor is done")
    return found


def armed(ib: InteractiveBrokers) -> Finding:
    """Look whether the account is paper, or armed."""
    if is_paper(ib.account):
        return Finding("gateway account kind", "ok", f"{ib.account} is a paper account")
    try:
        check_armed(ib.account, ib.live_account)
    except LiveNotArmed as why:
        remedy = "a live account is meant? then set ib.live_account; else name a paper account"
        return Finding("gateway account kind", "bad", str(why), remedy)
    remedy = "`tmd --check` says whether what would trade it was approved"
    return Finding("gateway account kind", "warn", f"{ib.account} is real money", remedy)


def restarting(ib: InteractiveBrokers, now: datetime) -> Finding:
    """Look whether the gateway's daily restart is on."""
    restart = restart_of(ib)
    if restart is None:
        said = "ib.restart is not set, so nothing is held back around the gateway's daily restart"
        return Finding("gateway restart", "ok", said)
    if said := restart.said(now):
        return Finding("gateway restart", "warn", said, "ask again after that")
    return Finding("gateway restart", "ok", f"it restarts at {ib.restart}, which is not now")


async def connected(
    settings: Settings, ib: InteractiveBrokers, found: list[Finding], *, daemon_is_there: bool
) -> Gateway:
    """Return a connection, and find how far it got; raise Ended without one."""
    ours = ib.client_id if settings.broker.kind == "ib" else ib.feed_client_id
    where = f"{ib.host}:{ib.port}"
    at = Address(ib.host, ib.port, ours, ib.account)
    try:
        gateway = await met(Gateway(at, ib.patience), found, where)
    except ClientIdInUse:
        found += there(where)
        said = f"client id {ours} is in use"
        if daemon_is_there:
            found.append(Finding("gateway client id", "ok", f"{said}, and the daemon runs"))
        else:
            remedy = (
                "stop whoever has it, or wait: a session that broke holds its id for minutes. "
                "Never change the id while orders of it are open"
            )
            found.append(Finding("gateway client id", "bad", said, remedy))
        try:
            stand_in = replace(at, client_id=ours + STAND_IN)
            return await met(Gateway(stand_in, ib.patience), [], where)
        except ClientIdInUse:
            raise Ended from None
    found += there(where)
    found.append(Finding("gateway client id", "ok", f"client id {ours} is free"))
    return gateway


def there(where: str) -> Sequence[Finding]:
    """Return what a connection says that got as far as a client id."""
    return (
        Finding("gateway address", "ok", f"somebody listens at {where}"),
        Finding("gateway handshake", "ok", "it speaks the gateway's language"),
    )


async def met(gateway: Gateway, found: list[Finding], where: str) -> Gateway:
    """Return the gateway, connected; raise ClientIdInUse, or Ended with what was found."""
    try:
        await gateway.connect()
    except ClientIdInUse:
        raise
    except AccountUnknown as why:
        found += there(where)
        remedy = "set ib.account to an account of this login, or log the gateway in as its owner"
        found.append(Finding("gateway account", "bad", str(why), remedy))
        raise Ended from why
    except BrokerUnavailable as why:
        if gateway.ib.client.conn.numBytesSent == 0:
            remedy = "start the gateway; see ib.host and ib.port: 4002 paper, 4001 live, 7497 TWS"
            found.append(Finding("gateway address", "bad", str(why), remedy))
            raise Ended from why
        found.append(Finding("gateway address", "ok", f"somebody listens at {where}"))
        remedy = (
            "look at its screen: a login or a second factor may be asked for; API access must be "
            "on, and allowed from this address"
        )
        found.append(Finding("gateway handshake", "bad", str(why), remedy))
        raise Ended from why
    return gateway


async def questioned(
    gateway: Gateway,
    settings: Settings,
    ib: InteractiveBrokers,
    clock: Clock,
    found: list[Finding],
) -> None:
    """Ask all that the daemon would ask; raise BrokerUnavailable where the connection ends."""
    found.append(Finding("gateway account", "ok", f"the gateway has {ib.account}"))
    told = await gateway.answer("the time", gateway.ib.reqCurrentTimeAsync)
    found.append(of_skew(told - clock.wall()))
    symbols = settings.universe.symbols
    instruments = tuple(map(settings.instrument, symbols))
    contracts = Contracts(instruments, settings.account.base_currency)
    try:
        await contracts.qualify(gateway)
    except (ReportUnreadable, AmountOutOfRange) as why:
        remedy = "tell us of the symbol: its description is beyond what is understood"
        found.append(Finding("gateway contracts", "bad", str(why), remedy))
    else:
        found.append(of_contracts(contracts, len(symbols)))
    if contracts.listed:
        found.append(await prices(gateway, next(iter(contracts.listed.values())), clock))
    found.append(await orders(gateway))


def of_skew(skew: timedelta) -> Finding:
    """Judge by how much the gateway's clock is ahead of ours."""
    found = f"the gateway's clock is {skew.total_seconds():+.0f} s from ours"
    if abs(skew) <= SKEW:
        return Finding("gateway time", "ok", found)
    remedy = "let this machine, and the gateway's, keep their time by NTP"
    return Finding("gateway time", "bad" if abs(skew) > WRONG else "warn", found, remedy)


def of_contracts(contracts: Contracts, wanted: int) -> Finding:
    """Judge whether each symbol is one contract."""
    if contracts.refused:
        found = "; ".join(contracts.refused.values())
        remedy = "take it out of universe.symbols, or set its currency in [universe.instruments]"
        return Finding("gateway contracts", "bad", found, remedy)
    if not wanted:
        remedy = "name the symbols in universe.symbols"
        return Finding("gateway contracts", "warn", "no symbols to look for", remedy)
    return Finding("gateway contracts", "ok", f"{wanted} symbols, each one contract")


async def prices(gateway: Gateway, listed: Listed, clock: Clock) -> Finding:
    """Ask for prices of one symbol, and judge what kind comes."""
    refusals: list[tuple[int, str]] = []

    def told(_request: int, code: int, text: str, contract: Contract | None) -> None:
        about = contract is not None and contract.conId == listed.con_id
        if about and action(code) is Action.NO_PRICES:
            refusals.append((code, text))

    symbol, ib = listed.instrument.symbol, gateway.ib
    remedy = "subscribe to its exchange's data for the API, and share it with the paper login"
    ib.errorEvent += told
    try:
        ib.reqMarketDataType(3)  # delayed ones where live ones are not to be had
        ticker = ib.reqMktData(listed.contract)
        waited = 0.0
        while not ticker.hasBidAsk() and not ticker.last > 0 and waited < FIRST_PRICE:
            if refusals and refusals[0][0] != 10167:  # which announces delayed ones
                break
            await clock.sleep(LOOK)
            waited += LOOK
        ib.cancelMktData(listed.contract)
    except ConnectionError as why:
        raise BrokerUnavailable("the connection broke while prices were asked for") from why
    finally:
        ib.errorEvent -= told
    if not ticker.hasBidAsk() and not ticker.last > 0:
        said = f"{refusals[0][0]}: {refusals[0][1]}" if refusals else f"none in {FIRST_PRICE:g} s"
        return Finding("gateway prices", "warn", f"no prices of {symbol}: {said}", remedy)
    kind = KINDS.get(ticker.marketDataType, str(ticker.marketDataType))
    found = f"prices of {symbol} are {kind}"
    if kind == "live":
        return Finding("gateway prices", "ok", found)
    return Finding("gateway prices", "warn", f"{found}: none is traded by", remedy)


async def orders(gateway: Gateway) -> Finding:
    """Judge whether open orders can be read."""
    try:
        listed = await gateway.answer("open orders", partial(gateway.ib.reqAllOpenOrdersAsync))
    except BrokerUnavailable as why:
        remedy = "allow the API to read orders (read-only off is not needed for that), and restart"
        return Finding("gateway open orders", "bad", str(why), remedy)
    return Finding("gateway open orders", "ok", f"readable: {len(listed)}")
