"""What is fuzzed: each takes any bytes, and only what is a bug gets out of it."""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from functools import cache
from pathlib import Path

import msgspec

from control.protocol import decode_hello, decode_reply, decode_welcome, encode
from daemon.calendar import open_calendar
from daemon.feeds.market_message import DayBar, Reading
from daemon.feeds.price_file import read_prices
from daemon.feeds.prices import PriceFileInvalid
from daemon.reading import Unreadable, request_of
from state.authority import Role, judged
from state.configuration import decode, fingerprint, shown
from state.connection import ConnectionInvalid, connection
from state.given import ConfigurationInvalid
from state.instrument import LARGEST
from state.quote import Quote
from state.roles import decode_roles

CORPUS = Path(__file__).parent / "corpus"
ANYBODY = decode_roles("[[principal]]\nname='a'\nuid=1\nrole='viewer'", "f", Role.NONE)


def frame(data: bytes) -> None:
    """A request is read and means the same when it is written again, or it is refused."""
    try:
        request = request_of(data)
    except Unreadable as refused:
        told = refused.fault
    else:
        told = None
    if told is not None:
        assert told.code
        assert len(encode(told)) < 10_000
        return
    assert request_of(encode(request)) == request
    for grant in (ANYBODY.local(1, (), "a"), ANYBODY.local(2, (), "b")):
        judged(request.ask, grant)


def greeting(data: bytes) -> None:
    """The first frames, either way."""
    for read in (decode_hello, decode_welcome, decode_reply):
        with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            read(data)


def configuration(data: bytes) -> None:
    """A configuration is taken or refused with every problem named."""
    try:
        effective = decode(data.decode("utf-8", "replace"), "f", {})
    except ConfigurationInvalid as refused:
        msgspec.json.encode(refused.problems)
        return
    assert fingerprint(effective.settings)
    msgspec.json.encode(shown(effective))


def environment(data: bytes) -> None:
    """So are variables, a name and a value a line."""
    lines = (line.partition("=") for line in data.decode("utf-8", "replace").splitlines())
    with suppress(ConfigurationInvalid):
        decode("", "f", {f"TM_{name}": value for name, _, value in lines})


def roles(data: bytes) -> None:
    """A roles file gives nobody more than it says."""
    with suppress(ConfigurationInvalid):
        read = decode_roles(data.decode("utf-8", "replace"), "f", Role.NONE)
        assert read.local(4_000_000_000, (), "x").role is Role.NONE or b"4000000000" in data


def login(data: bytes) -> None:
    """An Airflow connection is read or refused, and no refusal repeats any of it."""
    text = data.decode("utf-8", "replace")
    try:
        read = connection(text)
    except ConnectionInvalid as refused:
        told = refused
    else:
        told = None
    if told is not None:
        assert told.__cause__ is None
        return
    nowhere = msgspec.structs.replace(read, kind="", host="", port=None)
    assert repr(nowhere) == "Connection('', host='', port=None)"


@cache
def market() -> Reading:
    """What reads the market's messages, on a year's calendar."""
    year = open_calendar("XNYS", first=date(2021, 1, 1), last=date(2021, 12, 31))
    return Reading("tm", ("KO",), year)


def messages(data: bytes) -> None:
    """A market message is a quote or bar that could be, or is refused with its reason."""
    for topic in ("tm/md/quote/KO", "tm/md/bar/1d/KO"):
        said = market().read(topic, data)
        if isinstance(said, DayBar):
            assert LARGEST >= said.bar.close > 0
        elif isinstance(said, Quote):
            known = [one for one in (said.bid, said.ask, said.last) if one is not None]
            assert known
            assert all(LARGEST >= one > 0 for one in known)


def prices(data: bytes) -> None:
    """A price file is a table or says what is wrong with it; the first byte says which kind."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / ("KO.csv" if data[:1] != b"\x00" else "KO.parquet")
        file.write_bytes(data[1:] if data[:1] == b"\x00" else data)
        with suppress(PriceFileInvalid):
            table = read_prices(file)
            assert table.close.shape == (len(table.days), len(table.symbols))


TARGETS: dict[str, Callable[[bytes], None]] = {
    one.__name__: one
    for one in (frame, greeting, configuration, environment, roles, login, messages, prices)
}


def corpus(name: str) -> list[Path]:
    """What is kept of a target: where it began, and what once broke it."""
    return sorted((CORPUS / name).iterdir())
