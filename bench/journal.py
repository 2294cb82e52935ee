"""The journal under 64 writers with group commit, beside bare sqlite3 writing the same batches.

The same writers drive both sides: each asks for an order, waits until that is durable, and asks
for the next; whatever waits meanwhile becomes one transaction with synchronous=FULL, on the disk
of the working directory. The store encodes, chains, hops to its thread and back; the bare side
has its rows ready, and only executes and commits them. Its last figure is stricter: the same
batches again in a plain loop, without any writers to wake.
"""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from daemon.store import open_store
from state.apply import replay
from state.canonical import body_of, kind_of, microseconds
from state.event import CommandReceived, Event, OrderSubmitted
from state.journal import Database, connect
from state.order import order_id, request_id
from state.record import Batch, StoredCommand
from state.rows import INSERT_EVENT, UPSERT_COMMAND, UPSERT_ORDER, command_row, order_row
from state.snapshot import Snapshot

WRITERS, EACH, ROUNDS, MOST = 64, 25, 11, 256
TARGET = 0.7
AT = datetime(2025, 3, 3, 21, tzinfo=UTC)
REPLY = b'{"ok":true,"status":"accepted","data":{"order_id":"' + b"x" * 220 + b'"}}'
HASH = bytes(32)


class Asked:
    """One keyed order: what it causes, and the rows of that."""

    def __init__(self, key: str) -> None:
        rid = request_id(key)
        order = order_id(rid, 0)
        day, price = date(2025, 3, 3), Decimal("61.5")
        submitted = OrderSubmitted(order, rid, "KO", Decimal(10), price, None, "manual", day, AT)
        received = CommandReceived(rid, key, "order", "uid 1000", "d" * 32, AT)
        self.events: tuple[Event, ...] = (received, submitted)
        self.order = replay(Snapshot(), [submitted]).orders[order]
        self.command = StoredCommand(rid, key, "order", "uid 1000", "d" * 32, REPLY, False, AT)
        wall = microseconds(AT)
        self.rows = [(None, wall, kind_of(e), body_of(e), HASH) for e in self.events]
        self.order_row, self.command_row = order_row(self.order), command_row(self.command)


Group = list[Asked]


def batch_of(group: Group) -> Batch:
    """Return the one transaction that answers a group of commands."""
    return Batch(
        [event for asked in group for event in asked.events],
        AT,
        [asked.order for asked in group],
        [asked.command for asked in group],
    )


def write_bare(db: Database, group: Group) -> None:
    """Write a group's rows, made beforehand, and commit."""
    events: list[Any] = [row for asked in group for row in asked.rows]
    db.execute("BEGIN IMMEDIATE")
    db.executemany(INSERT_EVENT, events)
    db.executemany(UPSERT_ORDER, [asked.order_row for asked in group])
    db.executemany(UPSERT_COMMAND, [asked.command_row for asked in group])
    db.execute("COMMIT")


async def driven(
    write: Callable[[Group], Awaitable[object]], asked: list[Group]
) -> tuple[float, list[Group]]:
    """Let each writer wait for its own commits; return the seconds, and the groups made."""
    inbox: asyncio.Queue[tuple[Asked, asyncio.Future[None]]] = asyncio.Queue()
    groups: list[Group] = []

    async def engine() -> None:
        while True:
            waiting = [await inbox.get()]
            while len(waiting) < MOST and not inbox.empty():
                waiting.append(inbox.get_nowait())
            groups.append([one for one, _ in waiting])
            await write(groups[-1])
            for _, durable in waiting:
                durable.set_result(None)

    async def writer(mine: Group) -> None:
        for one in mine:
            durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            inbox.put_nowait((one, durable))
            await durable

    serving = asyncio.create_task(engine())
    began = perf_counter()
    await asyncio.gather(*(writer(mine) for mine in asked))
    took = perf_counter() - began
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    return took, groups


def looped(db: Database, groups: list[Group]) -> float:
    """Write groups one after the other and return the seconds."""
    began = perf_counter()
    for group in groups:
        write_bare(db, group)
    return perf_counter() - began


def orders(label: str) -> list[Group]:
    """Return what each writer will ask for."""
    return [[Asked(f"{label}|{writer}|{n}") for n in range(EACH)] for writer in range(WRITERS)]


async def main() -> bool:
    """Run the rounds in turn, print the ratio, and return whether it is as promised."""
    ratios, strict, rates, commits = [], [], [], []
    with tempfile.TemporaryDirectory(dir=".", prefix=".bench-") as folder:
        store, _, _ = await open_store(Path(folder) / "journal.db")
        bare, plain = connect(Path(folder) / "bare.db"), connect(Path(folder) / "plain.db")

        async def write_inline(group: Group) -> None:
            write_bare(bare, group)

        for number in range(ROUNDS + 1):
            asked = orders(str(number))
            alone, _ = await driven(write_inline, asked)
            took, groups = await driven(lambda group: store.append(batch_of(group)), asked)
            loop = looped(plain, groups)
            if number:  # the first round warms all up
                ratios.append(alone / took)
                strict.append(loop / took)
                rates.append(WRITERS * EACH / took)
                commits.append(len(groups) / took)
        bare.close()
        plain.close()
        await store.aclose()
    ratio = median(ratios)
    print(
        f"journal, {WRITERS} writers: {median(rates):,.0f} commands/s in {median(commits):,.0f} "
        f"commits/s, each synced\n"
        f"  beside bare sqlite3 under the same writers: {ratio:.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f}; promised: {TARGET})\n"
        f"  beside a bare sqlite3 loop with nobody to wake: {median(strict):.2f}"
    )
    return ratio >= TARGET


if __name__ == "__main__":
    raise SystemExit(not asyncio.run(main()))
