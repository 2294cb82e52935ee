"""A year of real closes: played by the replay feed, and published to a daemon that listens."""

import asyncio
import json
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

from daemon.calendar import open_calendar
from daemon.clock import SystemClock
from daemon.feeds.publishing import Address, How, play, table_of
from tests.mqtt.mosquitto import Mosquitto
from tests.tmd import Tmd

XNYS = open_calendar("XNYS")
START, END = date(2021, 1, 4), date(2021, 12, 31)
SYMBOLS = ("AAPL", "JNJ", "KO", "PG", "XOM")
CONFIGURATION = """\
[account]
id = "YEAR"
[universe]
symbols = {symbols}
[trading]
mode = "autonomous"
rebalance = "1w"
[strategy]
name = "inverse_volatility"
[feed]
kind = "{kind}"
clock = "feed"
grace = "1s"
history = "{history}"
[replay]
file = "{file}"
start = {start}
end = {end}
pace = 0
[mqtt]
host = "127.0.0.1"
port = {port}
qos = {qos}
publish = "{publish}"
[risk]
max_position_weight = 0.5
max_order_notional = "100000000"
max_orders_per_minute = 1000000
max_day_orders = 1000000
max_day_turnover = 100.0
max_day_loss = 1.0
max_drawdown = 1.0
"""


def configured(kind, port=1883, *, file="bundled", qos=1, publish="off", end=END, **words):
    """A configuration of a year, and its prices by file or by wire."""
    words = {"symbols": SYMBOLS, "start": START, "history": "bundled"} | words
    words["symbols"] = "[" + ", ".join(f'"{symbol}"' for symbol in words["symbols"]) + "]"
    return CONFIGURATION.format(
        kind=kind, port=port, file=file, qos=qos, publish=publish, end=end, **words
    )


def prices(symbols=SYMBOLS, file="bundled"):
    """The real closes of some symbols."""
    return table_of(file, symbols)


def published(port, *, table=None, start=START, end=END, clock=None, told=None, **how):
    """Publish, and return what was."""
    table = table or prices()
    address = Address("127.0.0.1", port)
    heard = {} if told is None else {"told": told}
    return asyncio.run(play(table, address, How(**how), start=start, end=end, clock=clock, **heard))


class Parts(SystemClock):
    """A clock on which a publisher comes to the end of a part of the year, and waits to go on."""

    def __init__(self, parts: int) -> None:
        days = [day for day in prices().days if START <= day <= END]
        self._length, self._parts = len(days) // parts, parts
        self._free, self._sessions = 1, 0

    def free(self) -> None:
        """Let it go on into the next part."""
        self._free += 1

    def told(self, _: date) -> None:
        """Hear of a session that was published."""
        self._sessions += 1

    async def sleep(self, seconds: float) -> None:
        """Sleep, and at the end of a part until it may go on."""
        await super().sleep(seconds)
        while self._free < self._parts and self._sessions == self._length * self._free:
            await super().sleep(0.01)


def closed(tmd: Tmd) -> date | None:
    """The session of the last close that a daemon decided."""
    at = tmd.data()["feed"]["last_at"]
    return None if at is None else datetime.fromisoformat(at).astimezone(UTC).date()


def journaled(tmd: Tmd, kind="bars_closed"):
    """The bodies of a kind of event, as they are on disk."""
    return [
        bytes(body)
        for (body,) in tmd.rows("SELECT body FROM event WHERE type = ? ORDER BY seq", kind)
    ]


def outcome(tmd: Tmd):
    """What a year came to: every close with its equity and targets, every fill, and the books."""
    fills = tmd.rows("SELECT symbol, quantity_u, price_u, fee_u FROM fill ORDER BY seq")
    return journaled(tmd), fills, tmd.books()


@contextmanager
def live(folder: Path, *, persistent=False, inflight=0, **words):
    """A broker, and a daemon that is connected to it: yield both."""
    with (
        Mosquitto(folder / "broker", persistent=persistent, inflight=inflight) as broker,
        Tmd(folder / "live", configured("mqtt", broker.port, **words)) as tmd,
    ):
        yield broker, tmd.connected()


def pairs(bodies, kind):
    """(session, symbol) of each bar in the bodies of closes, or of gaps."""
    events = [json.loads(body) for body in bodies]
    if kind == "bars_missed":
        return [(event["session"], symbol) for event in events for symbol in event["symbols"]]
    return [(event["session"], bar[0]) for event in events for bar in event["bars"]]


def replayed(folder: Path, **words):
    """What a year comes to by the replay feed."""
    with Tmd(folder, configured("replay", **words)) as tmd:
        tmd.start()
        tmd.until(lambda: tmd.data()["feed"]["ended"] and closed(tmd) == words.get("end", END))
        return outcome(tmd)
