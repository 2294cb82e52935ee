"""The journal under 64 writers with group commit, beside a bare sqlite3 loop of the same batches.

Both sides write the same rows into the same tables with synchronous=FULL, in turn, on the disk of
the working directory. The store's side also decides nothing, but does all the rest that stands
between a writer and its commit: encoding, the hash chain, the hop to its thread and back. The
bare side has its rows ready and only executes them.
"""

import asyncio
import tempfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from statistics import median
from time import perf_counter

from daemon.store import JournalStore, open_store
from state.apply import replay
from state.canonical import body_of, kind_of, microseconds
from state.event import CommandReceived, Event, OrderSubmitted
from state.journal import GENESIS, Database, connect
from state.order import Order, order_id, request_id
from state.record import Batch, Head, StoredCommand
from state.rows import (
    INSERT_EVENT,
    UPSERT_COMMAND,
    UPSERT_ORDER,
    command_row,
    link,
    order_row,
)
from state.snapshot import Snapshot

WRITERS, EACH, ROUNDS, MOST = 64, 25, 9, 256
TARGET = 0.7
AT = datetime(2025, 3, 3, 21, tzinfo=UTC)
REPLY = b'{"ok":true,"status":"accepted","data":{"order_id":"' + b"x" * 220 + b'"}}'


class Asked:
    """One keyed order: what it causes, and the future that is done when that is durable."""

    def __init__(self, key: str) -> None:
        rid = request_id(key)
        submitted = OrderSubmitted(
            order_id(rid, 0), rid, "KO", Decimal(10), Decimal("61.5"), None, "manual",
            date(2025, 3, 3), AT,
        )  # fmt: skip
        self.events: tuple[Event, ...] = (
            CommandReceived(rid, key, "order", "uid 1000", "d" * 32, AT),
            submitted,
        )
        self.order: Order = replay(Snapshot(), [submitted]).orders[submitted.order_id]
        self.command = StoredCommand(rid, key, "order", "uid 1000", "d" * 32, REPLY, False, AT)
        self.durable: asyncio.Future[Head] | None = None


def batch_of(group: list[Asked]) -> Batch:
    """Return the one transaction that answers a group of commands."""
    return Batch(
        [event for asked in group for event in asked.events],
        AT,
        [asked.order for asked in group],
        [asked.command for asked in group],
    )


async def grouped(store: JournalStore, asked: list[list[Asked]]) -> tuple[float, list[Batch]]:
    """Let the writers each wait for their own commits; return the seconds, and the batches."""
    inbox: asyncio.Queue[Asked] = asyncio.Queue()
    batches: list[Batch] = []

    async def engine() -> None:
        while True:
            group = [await inbox.get()]
            while len(group) < MOST and not inbox.empty():
                group.append(inbox.get_nowait())
            batches.append(batch_of(group))
            head = await store.append(batches[-1])
            for one in group:
                if one.durable is not None:
                    one.durable.set_result(head)

    async def writer(mine: list[Asked]) -> None:
        for one in mine:
            one.durable = asyncio.get_running_loop().create_future()
            inbox.put_nowait(one)
            await one.durable

    serving = asyncio.create_task(engine())
    began = perf_counter()
    await asyncio.gather(*(writer(mine) for mine in asked))
    took = perf_counter() - began
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    return took, batches


class Bare:
    """The rival: sqlite3 in a loop, its rows made beforehand."""

    def __init__(self, path: Path) -> None:
        self.db: Database = connect(path)
        self._head = GENESIS

    def rows(self, batches: list[Batch]) -> list[tuple[list[object], list[object], list[object]]]:
        """Return the rows of each batch, ready to be executed."""
        wall, made = microseconds(AT), []
        for batch in batches:
            events: list[object] = []
            for event in batch.events:
                seq, kind, body = self._head.seq + 1, kind_of(event), body_of(event)
                self._head = Head(seq, link(self._head.hash, seq, wall, kind, body))
                events.append((seq, wall, kind, body, self._head.hash))
            orders: list[object] = [order_row(order) for order in batch.orders]
            commands: list[object] = [command_row(command) for command in batch.commands]
            made.append((events, orders, commands))
        return made

    def run(self, rows: list[tuple[list[object], list[object], list[object]]]) -> float:
        """Write batches one by one and return the seconds."""
        began = perf_counter()
        for events, orders, commands in rows:
            self.db.execute("BEGIN IMMEDIATE")
            self.db.executemany(INSERT_EVENT, events)  # type: ignore[arg-type]
            self.db.executemany(UPSERT_ORDER, orders)  # type: ignore[arg-type]
            self.db.executemany(UPSERT_COMMAND, commands)  # type: ignore[arg-type]
            self.db.execute("COMMIT")
        return perf_counter() - began


async def main() -> bool:
    """Run the rounds in turn, print the ratio, and return whether it is as promised."""
    ratios, rates, commits = [], [], []
    with tempfile.TemporaryDirectory(dir=".", prefix=".bench-") as folder:
        store, _, _ = await open_store(Path(folder) / "journal.db")
        (Path(folder) / "bare").mkdir()
        bare = Bare(Path(folder) / "bare" / "journal.db")
        for number in range(ROUNDS + 1):
            asked = [
                [Asked(f"{number}|{writer}|{n}") for n in range(EACH)] for writer in range(WRITERS)
            ]
            took, batches = await grouped(store, asked)
            alone = bare.run(bare.rows(batches))
            if number:  # the first round warms both up
                ratios.append(alone / took)
                rates.append(WRITERS * EACH / took)
                commits.append(len(batches) / took)
                sizes = WRITERS * EACH / len(batches)
                print(
                    f"round {number}: {took * 1e3:6.1f} ms beside {alone * 1e3:6.1f} ms, "
                    f"{len(batches)} commits of {sizes:.0f} commands"
                )
        bare.db.close()
        await store.aclose()
    ratio = median(ratios)
    print(
        f"journal: {WRITERS} writers, {median(rates):,.0f} commands/s in {median(commits):,.0f} "
        f"commits/s; {ratio:.2f} of a bare sqlite3 loop (target {TARGET}, "
        f"from {min(ratios):.2f} to {max(ratios):.2f})"
    )
    return ratio >= TARGET


if __name__ == "__main__":
    raise SystemExit(not asyncio.run(main()))
