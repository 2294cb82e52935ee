"""The paper broker's file: what survives, what is refused, what a failure leaves behind."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from decimal import Decimal as D
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from daemon.brokers import paper_book
from daemon.brokers.execution_model import terms
from daemon.brokers.paper import PaperBroker
from daemon.brokers.paper_account import Account, Execution, Movement, Refusal, Step
from daemon.brokers.paper_book import BookFull, BookInDoubt, BookRefused
from daemon.brokers.paper_file import PaperFile
from daemon.brokers.paper_venue import Rules
from daemon.clock import FakeClock
from daemon.seams import BrokerUnavailable
from state.command import RecordFill, ReportKind
from state.instrument import Instrument
from state.settings import Paper
from tests.daemon.brokers.paper_market import (
    CALENDAR,
    DAYS,
    FREE,
    MONDAY,
    TUESDAY,
    close,
    evening,
    order,
    paper_broker,
)

ROOT = Path(__file__).parents[3]
RISKY = Paper(
    initial_cash=D(20_000),
    commission_bps=1.5,
    commission_min=D("0.35"),
    spread_bps=7,
    partial_fill_rate=0.5,
    reject_rate=0.2,
    seed=11,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "paper.db"


def looked_at(path, question):
    """What somebody with a SQLite shell sees."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute(question).fetchall()


# A day of a script: orders (quantity, symbol, limit), cash, which of the open ones to cancel, bars.
prices = st.decimals("10", "90", places=2)
trading_days = st.lists(
    st.tuples(
        st.lists(
            st.tuples(st.integers(-80, 200), st.sampled_from(["KO", "PG"]), st.none() | prices),
            max_size=3,
        ),
        st.none() | st.decimals(-2_000, 2_000, places=2),
        st.sets(st.integers(1, 12), max_size=1),
        st.fixed_dictionaries({}, optional={"KO": prices, "PG": prices}),
    ),
    max_size=4,
)


async def traded(path, script, restarts):
    """Run a script, restarting before every step named; return all reports and the last book."""
    told, step, oid = [], 0, 0
    broker = await paper_broker(path, RISKY, told=told)

    async def next_step():
        nonlocal broker, step
        if step in restarts:
            await broker.aclose()
            broker = await paper_broker(path, RISKY, told=told)
        step += 1

    for n, (orders, cash, cancels, bars) in enumerate(script):
        for quantity, symbol, limit in orders:
            oid += 1
            broker.place(order(oid, quantity, symbol, DAYS[n + 1], limit))
        await next_step()
        if cash is not None:
            broker.move_cash(f"m{n}", cash)
        for gone in cancels:
            broker.cancel(order(gone, 1))
        await next_step()
        await broker.on_close(
            close(DAYS[n + 1], at=evening(DAYS[n + 1]) - timedelta(hours=4), **bars)
        )
        await next_step()
        await broker.on_close(close(DAYS[n + 1], **bars))
        await next_step()
    book = await broker.book(None)
    await broker.aclose()
    return told, book


@settings(max_examples=40)
@given(trading_days, st.sets(st.integers(0, 15)))
def test_restarts_change_nothing(script, restarts):
    """Whenever it is closed and opened again, the same seed gives the same reports and book."""
    with TemporaryDirectory() as folder:
        undisturbed = asyncio.run(traded(Path(folder, "a.db"), script, set()))
        restarted = asyncio.run(traded(Path(folder, "b.db"), script, restarts))
    assert restarted == undisturbed


@pytest.mark.asyncio
async def test_it_is_written_before_it_is_said(path):
    """At the moment of each report the file, read by somebody else, holds what is reported."""
    seen = []

    def look(report):
        table = "executions" if isinstance(report, RecordFill) else "orders"
        seen.extend(looked_at(path, f"SELECT count(*) FROM {table}")[0])

    broker = await paper_broker(path, tell=look)
    broker.place(order(1, 10))
    await broker.on_close(close(TUESDAY, KO=50))
    assert seen == [1, 1]
    await broker.aclose()


@pytest.mark.asyncio
async def test_initial_cash_is_booked_once(path):
    for cash in (10_000, 77):
        broker = await paper_broker(path, replace(FREE, initial_cash=D(cash)))
        assert (await broker.book(None)).cash == 10_000
        await broker.aclose()


@pytest.mark.asyncio
async def test_the_file_adds_up_for_whoever_opens_it(path):
    broker = await paper_broker(path)
    broker.place(order(1, 10))
    broker.move_cash("d1", D("0.5"))
    await broker.on_close(close(TUESDAY, KO="50.25"))
    await broker.aclose()
    assert looked_at(path, "SELECT cash_u FROM cash") == [(9_498_000_000,)]
    assert looked_at(path, "SELECT * FROM positions") == [("KO", 10_000_000)]
    assert looked_at(path, "SELECT execution_id FROM executions") == [("P1.1",)]


@pytest.mark.asyncio
async def test_a_message_that_should_not_have_come_leaves_a_trace(path):
    broker = await paper_broker(path)
    broker.place(order(2, 10))
    broker.place(order(2, 10))
    broker.place(order(1, 10))
    broker.cancel(order(9, 10))
    await broker.aclose()
    assert looked_at(path, "SELECT order_ref, broker_oid, reason FROM refusals") == [
        ("TM1.R2.0", 2, "103 duplicate order id"),
        ("TM1.R1.0", 1, "103 duplicate order id"),
        ("TM1.R9.0", None, "135 no such order"),
    ]


def test_the_file_is_its_owners_alone(path):
    connection, _ = paper_book.opened(path, Movement("initial", D(1)), evening(MONDAY))
    connection.close()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        pytest.param("PRAGMA application_id = 7", "not a paper book", id="somebody else's"),
        pytest.param("PRAGMA user_version = 2", "another version", id="a newer one"),
        pytest.param(
            "UPDATE orders SET filled_u = filled_u - 1", "its executions", id="contradictory"
        ),
        pytest.param("DROP TABLE executions", "cannot be read", id="incomplete"),
    ],
)
@pytest.mark.asyncio
async def test_a_file_it_cannot_trust_is_refused_and_kept(path, harm, why):
    broker = await paper_broker(path)
    broker.place(order(1, 10))
    await broker.on_close(close(TUESDAY, KO=50))
    await broker.aclose()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(harm)
        connection.commit()
    before = path.read_bytes()
    with pytest.raises(BookRefused, match=why):
        await paper_broker(path)
    assert path.read_bytes() == before


def test_something_else_under_its_name_is_refused(path):
    path.write_bytes(b"not a database, but long enough to look like one" * 100)
    with pytest.raises(BookRefused, match="cannot be read"):
        paper_book.opened(path, Movement("initial", D(1)), evening(MONDAY))


class TestTransactions:
    @pytest.fixture
    def connection(self, path):
        connection, _ = paper_book.opened(path, Movement("initial", D(1)), evening(MONDAY))
        with closing(connection):
            yield connection

    def test_a_step_is_written_wholly_or_not_at_all(self, connection):
        step = Step(Account(), moves=[Movement("a", D(1)), Movement("a", D(2))])
        with pytest.raises(sqlite3.IntegrityError):
            paper_book.transact(connection, lambda _: step, evening(MONDAY))
        assert connection.execute("SELECT ref FROM cash_moves").fetchall() == [("initial",)]

    def test_a_full_disk_is_a_clean_no_and_room_is_all_it_needs(self, connection):
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        step = Step(Account(), refusals=[Refusal("x" * 9_000, None, "")])
        with pytest.raises(BookFull):
            paper_book.transact(connection, lambda _: step, evening(MONDAY))
        connection.execute("PRAGMA max_page_count = 1000000")
        paper_book.transact(connection, lambda _: step, evening(MONDAY))
        assert connection.execute("SELECT count(*) FROM refusals").fetchone() == (1,)

    def test_a_commit_that_fails_is_in_doubt(self, connection):
        fill = RecordFill("P1.1", "R1.0", "KO", D(1), D(1), D(0), evening(MONDAY))

        def orphan(connection):
            connection.execute("PRAGMA defer_foreign_keys = ON")
            return Step(Account(), executions=[Execution(1, 1, fill, D(1), evening(MONDAY))])

        with pytest.raises(BookInDoubt):
            paper_book.transact(connection, orphan, evening(MONDAY))


class FailingFile(PaperFile):
    """A file on a disk that goes wrong when told to."""

    error = None
    begun = None

    async def write(self, decide, wall):
        if self.begun:
            self.begun.set()
        if self.error:
            raise self.error
        return await super().write(decide, wall)


async def failing_broker(path, told):
    file, opening = await FailingFile.open(path, Movement("initial", D(10_000)), evening(MONDAY))
    rules = Rules(terms(FREE), Instrument, CALENDAR)
    return file, PaperBroker(
        file, opening, rules, latency=0, listener=told.append, clock=FakeClock(), account="PAPER"
    )


@pytest.mark.asyncio
class TestFullDisk:
    async def test_orders_are_refused_cancels_work_and_nothing_trades(self, path):
        told = []
        file, broker = await failing_broker(path, told)
        broker.place(order(1, 10))
        broker.place(order(2, 10))
        await broker.settle()
        file.error = BookFull("no room")
        broker.place(order(3, 10))
        broker.cancel(order(1, 10))
        broker.move_cash("d1", D(5))
        await broker.on_close(close(TUESDAY, KO=50))
        assert [(r.order_id, r.kind) for r in told[2:]] == [
            ("R3.0", ReportKind.REJECTED),
            ("R1.0", ReportKind.CANCELLED),
        ]
        assert "disk is full" in told[2].reason
        assert broker.connected
        await broker.aclose()

    async def test_with_room_again_the_book_catches_up_by_itself(self, path):
        told = []
        file, broker = await failing_broker(path, told)
        broker.place(order(1, 10))
        await broker.settle()
        file.error = BookFull("no room")
        broker.cancel(order(1, 10))
        broker.move_cash("d1", D(5))
        await broker.settle()
        file.error = None
        assert (await broker.book(None)).cash == 10_005
        await broker.aclose()

        again = await paper_broker(path)
        book = await again.book(None)
        assert [o.status for o in book.orders] == ["cancelled"]
        assert book.cash == 10_005
        await again.aclose()

    async def test_cash_that_was_put_off_comes_before_the_next_price(self, path):
        told = []
        file, broker = await failing_broker(path, told)
        broker.place(order(1, 300))
        await broker.settle()
        file.error = BookFull("no room")
        broker.move_cash("d1", D(5_000))
        await broker.settle()
        file.error = None
        await broker.on_close(close(TUESDAY, KO=50))
        assert (await broker.book(None)).positions == {"KO": 300}
        await broker.aclose()

    async def test_what_was_cancelled_without_the_disk_stays_cancelled(self, path):
        told = []
        file, broker = await failing_broker(path, told)
        broker.place(order(1, 10))
        await broker.settle()
        file.error = BookFull("no room")
        broker.cancel(order(1, 10))
        await broker.settle()
        file.error = None
        broker.place(order(1, 10))
        await broker.settle()
        assert [r.kind for r in told] == [
            ReportKind.ACCEPTED,
            ReportKind.CANCELLED,
            ReportKind.CANCELLED,
        ]
        await broker.aclose()


@pytest.mark.asyncio
async def test_a_caller_who_gives_up_does_not_break_a_write_that_was_begun(path):
    told = []
    file, broker = await failing_broker(path, told)
    broker.place(order(1, 10))
    await broker.settle()
    file.begun = asyncio.Event()
    asking = asyncio.ensure_future(broker.on_close(close(TUESDAY, KO=50)))
    await file.begun.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert (await broker.book(None)).positions == {"KO": 10}
    assert isinstance(told[-1], RecordFill)
    assert broker.connected
    await broker.aclose()


@pytest.mark.asyncio
async def test_after_a_write_in_doubt_it_says_nothing_more_until_restarted(path):
    told = []
    _, broker = await failing_broker(path, told)
    with closing(sqlite3.connect(path)) as foreign:  # a trigger fails every booking of an order
        foreign.execute(
            "CREATE TRIGGER broken BEFORE INSERT ON orders BEGIN SELECT raise(ABORT, 'broken'); END"
        )
    broker.place(order(1, 10))
    with pytest.raises(BrokerUnavailable, match="restart"):
        await broker.settle()
    assert not told
    assert not broker.connected
    for ask in (broker.book(None), broker.next_oid(), broker.on_close(close(TUESDAY, KO=50))):
        with pytest.raises(BrokerUnavailable):
            await ask
    await broker.aclose()


TRADER = """
import asyncio, json, sys
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from tests.daemon.brokers.paper_market import *

told = []

def tell(report):
    told.append(report)
    print(json.dumps([type(report).__name__, report.order_id, getattr(report, "execution_id", "")]),
          flush=True)

async def main():
    broker = await paper_broker(Path(sys.argv[1]), Paper(initial_cash=D(10**9)), tell=tell)
    first = await broker.next_oid()
    for oid in range(first, first + 10**6):
        day, noon = TUESDAY, morning(TUESDAY) + timedelta(microseconds=oid)
        broker.place(order(oid, 10, created=noon - timedelta(microseconds=1)))
        if oid % 5 == 0:
            await broker.on_close(close(TUESDAY, at=noon, KO=50))

asyncio.run(main())
"""


@pytest.mark.area("kills and socket")
@pytest.mark.parametrize("lines", [1, 7, 40, 200])
def test_what_it_reported_outlives_a_kill(path, lines):
    """Killed with -9 after so many reports, twice: every report is in the file, and it adds up."""
    reported = []
    for _ in range(2):
        with subprocess.Popen(
            [sys.executable, "-c", TRADER, str(path)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        ) as trader:
            reported += [json.loads(trader.stdout.readline()) for _ in range(lines)]
            os.kill(trader.pid, signal.SIGKILL)
    accepted = {order_id for kind, order_id, _ in reported if kind == "RecordStatus"}
    executed = {execution for _, _, execution in reported if execution}
    connection, account = paper_book.opened(path, Movement("initial", D(1)), evening(MONDAY))
    with closing(connection):
        orders = {o for (o,) in connection.execute("SELECT order_id FROM orders")}
        executions = {e for (e,) in connection.execute("SELECT execution_id FROM executions")}
        ((refused,),) = connection.execute("SELECT count(*) FROM refusals")
    assert accepted <= orders
    assert executed <= executions
    assert account.positions.get("KO", 0) == 10 * len(executions)
    assert refused == 0
