"""What a released version left behind, and how it was made.

    python -m tests.state.released.sample

writes the files of the current schema: once, with the release that brings it. A sample that is
checked in is never made again: it stands for what people have on their disks.
"""

import gzip
import sys
import tempfile
from contextlib import closing
from decimal import Decimal as D
from pathlib import Path

import msgspec

from control.protocol import Health, encode
from state.chain import load
from state.command import Halt, MoveCash, SubmitOrder
from state.history import find_commands, orders
from state.journal import reader
from state.order import request_id
from state.schema import VERSION
from tests.tmd import Tmd

FOLDER = Path(__file__).parent
FILES = ("journal.db", "paper.db")
COMMANDS = {
    "buy": SubmitOrder("buy", "KO", D(100)),
    "deposit": MoveCash("deposit", D("1234.56")),
    "halt": Halt("drill", scope="symbol:PG"),
    "rest": SubmitOrder("buy", "WMT", D(7)),  # still open when the daemon stops
}


class Known(msgspec.Struct, frozen=True):
    """What a version knew when it stopped; money in its exact decimals."""

    seq: int
    hash: str
    cash: D
    held: dict[str, D]
    next_oid: int
    halts: list[str]
    open: list[str]
    replies: dict[str, str]


def known(path: Path) -> Known:
    """Return what a journal knows, as every version has to say it."""
    with closing(reader(path)) as db:
        now, head = load(db)
        commands = find_commands(db, [request_id(key) for key in COMMANDS])
        return Known(
            seq=head.seq,
            hash=head.hash.hex(),
            cash=now.ledger.cash,
            held={s: p.quantity for s, p in now.ledger.positions.items() if p.quantity},
            next_oid=now.next_oid,
            halts=sorted(now.halts),
            open=[one.order_id for one in orders(db, open_only=True)],
            replies={one.key: one.reply.decode() for one in commands.values()},
        )


def unpacked(version: int, state: Path) -> Known:
    """Put a version's files into a state directory, and return what it knew."""
    state.mkdir(mode=0o700, exist_ok=True)
    for name in FILES:
        packed = (FOLDER / f"v{version}.{name}.gz").read_bytes()
        (state / name).write_bytes(gzip.decompress(packed))
    return msgspec.json.decode((FOLDER / f"v{version}.json").read_bytes(), type=Known)


def make() -> None:
    """Let the daemon trade, stop it with an order open, and keep what it leaves."""
    with tempfile.TemporaryDirectory() as folder, Tmd(Path(folder) / "d", pace=0.2) as tmd:
        tmd.start().ready()
        for key, command in COMMANDS.items():
            reply = tmd.ask(command, key=key, wait=0.0 if key == "rest" else 30.0)
            assert reply.ok, reply
        tmd.until(lambda: tmd.rows("SELECT 1 FROM intent WHERE status = 'live'"))
        assert tmd.ask(Health()).ok
        assert tmd.stop() == 0
        for name in FILES:
            packed = gzip.compress((tmd.state / name).read_bytes(), mtime=0)
            (FOLDER / f"v{VERSION}.{name}.gz").write_bytes(packed)
        (FOLDER / f"v{VERSION}.json").write_bytes(encode(known(tmd.state / "journal.db")) + b"\n")


if __name__ == "__main__":
    if (FOLDER / f"v{VERSION}.json").exists():
        sys.exit(f"v{VERSION} is there: a released sample is never made again")
    make()
