"""Any price file, played to an MQTT broker as if its bars closed now: `tm publish`."""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import unquote, urlsplit

import aiomqtt
import msgspec
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from daemon.clock import SystemClock
from daemon.feeds.bundle import bundled
from daemon.feeds.market_message import bar_payload, bar_topic
from daemon.feeds.price_file import read_prices
from daemon.feeds.prices import PriceTable
from daemon.mqtt_link import while_connected
from daemon.seams import Clock
from state.instrument import Symbol

PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
PREFIX: Final = "tm"
TRIES_EVERY: Final = 0.2  # seconds between tries to come back


class AddressUnusable(ValueError):
    """A text is no address of an MQTT broker."""

    def __init__(self, text: str, why: str) -> None:
        super().__init__(f"{text!r} {why}; write mqtt://[USER@]HOST[:PORT][/PREFIX], or mqtts://")


class BrokerAway(Exception):
    """The MQTT broker is not there, refuses us, or was away for too long."""


class Address(msgspec.Struct, frozen=True):
    """Where to publish, and as whom."""

    host: str
    port: int
    prefix: str = PREFIX
    username: str | None = None
    tls: bool = False


class Played(msgspec.Struct, frozen=True):
    """What was published; `again` counts connections that were lost and found."""

    sessions: int
    bars: int
    first: date | None
    last: date | None
    again: int


class How(msgspec.Struct, frozen=True):
    """How to play: `pace` in sessions a second, 0 for as fast as the broker takes them.

    `patience` is how many seconds the broker may be away.
    """

    pace: float = 0.0
    qos: Literal[0, 1] = 1
    retain: bool = False
    password: str | None = None
    ca: str | None = None
    patience: float = 60.0


def address_of(text: str) -> Address:
    """Return the address that a text says; raises AddressUnusable."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as e:
        raise AddressUnusable(text, f"is no address ({e})") from e
    if parts.scheme not in PORTS or not parts.hostname:
        raise AddressUnusable(text, "names no broker")
    if parts.password:
        raise AddressUnusable(text, "holds a password: give it as --password-file")
    return Address(
        parts.hostname,
        port or PORTS[parts.scheme],
        parts.path.strip("/") or PREFIX,
        unquote(parts.username) if parts.username else None,
        parts.scheme == "mqtts",
    )


def table_of(file: str, symbols: Sequence[Symbol]) -> PriceTable:
    """Return the prices of a file, or of a bundled one; raises PriceFileInvalid, NotBundled."""
    kind, _, name = file.partition(":")
    path = (bundled(name) if name else bundled()) if kind == "bundled" else Path(file).expanduser()
    return read_prices(path, symbols, source=file)


async def play(
    table: PriceTable,
    address: Address,
    how: How,
    *,
    start: date | None = None,
    end: date | None = None,
    clock: Clock | None = None,
    told: Callable[[date], None] = lambda day: None,
) -> Played:
    """Publish every bar of a table, session by session; `told` hears of each.

    With quality of service 1 a session is published again when the connection was lost before the
    broker had all of it. Raises BrokerAway.
    """
    rows = [
        row
        for row, day in enumerate(table.days)
        if (start is None or day >= start) and (end is None or day <= end)
    ]
    playing = Playing(table, rows, address.prefix, how, clock or SystemClock(), told)
    again = 0
    while True:
        try:
            async with client(address, how) as broker:
                await while_connected(broker, playing.go_on(broker))
            return playing.done(again)
        except aiomqtt.MqttError as e:
            if not playing.may_come_back():
                raise BrokerAway(str(e)) from e
            again += 1
            await playing.clock.sleep(TRIES_EVERY)


class Playing:
    """How far it has come."""

    def __init__(
        self,
        table: PriceTable,
        rows: Sequence[int],
        prefix: str,
        how: How,
        clock: Clock,
        told: Callable[[date], None],
    ) -> None:
        self.clock = clock
        self._table, self._rows, self._prefix, self._how = table, rows, prefix, how
        self._told, self._begun = told, clock.mono()
        self._sessions = self._bars = 0
        self._gone: float | None = None

    async def go_on(self, broker: aiomqtt.Client) -> None:
        """Publish what is left."""
        self._gone = None
        while self._sessions < len(self._rows):
            if self._how.pace:
                due = self._begun + self._sessions / self._how.pace
                await self.clock.sleep(max(0.0, due - self.clock.mono()))
            row = self._rows[self._sessions]
            self._bars += await publish_session(broker, self._table, row, self._prefix, self._how)
            self._sessions += 1
            self._told(self._table.days[row])

    def may_come_back(self) -> bool:
        """Return whether to try again after a connection was lost: not when there never was one."""
        now = self.clock.mono()
        if self._gone is None:
            self._gone = now
        return self._sessions > 0 and now - self._gone <= self._how.patience

    def done(self, again: int) -> Played:
        """Return what was published."""
        days = [self._table.days[row] for row in self._rows]
        first, last = min(days, default=None), max(days, default=None)
        return Played(self._sessions, self._bars, first, last, again)


async def publish_session(
    broker: aiomqtt.Client, table: PriceTable, row: int, prefix: str, how: How
) -> int:
    """Publish the bars of one row; return how many there were."""
    bars = table.bars(row)
    await asyncio.gather(
        *(
            broker.publish(
                bar_topic(prefix, bar.symbol),
                bar_payload(table.days[row], bar),
                how.qos,
                how.retain,
            )
            for bar in bars
        )
    )
    return len(bars)


def client(address: Address, how: How) -> aiomqtt.Client:
    """Return a client that leaves no session behind."""
    properties: Any = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    made = aiomqtt.Client(
        address.host,
        address.port,
        username=address.username,
        password=how.password,
        protocol=aiomqtt.ProtocolVersion.V5,
        clean_start=True,
        properties=properties,
        tls_context=ssl.create_default_context(cafile=how.ca) if address.tls else None,
    )
    made.pending_calls_threshold = 100_000  # a session's bars are published at once
    return made
