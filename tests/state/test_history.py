"""Questions to the journal."""

from datetime import timedelta
from decimal import Decimal as D

import pytest

from state.chain import append
from state.event import BarsClosed, CashMoved, Difference, OrderFilled, Reconciled, Started
from state.history import (
    command_by_id,
    events_between,
    fills,
    find_commands,
    last_not_placed,
    order_by_id,
    orders,
    orders_of,
    recorded,
    records,
    unfinished,
    untold,
)
from state.journal import GENESIS, in_memory
from state.order import Order, Status
from state.record import Batch
from state.snapshot import Snapshot
from tests.chronicle import CLOSE, LONG, WALL, command, write
from tests.given import start

FILLS = [event for event in LONG if isinstance(event, OrderFilled)]


@pytest.fixture(scope="module")
def story():
    """A long story in batches of one, and the snapshot at its end."""
    db = in_memory()
    head, now = GENESIS, Snapshot()
    for event in LONG:
        head, now = write(db, head, now, [event])
    yield db, now
    db.close()


def test_records_come_in_order_from_anywhere(story):
    db, _ = story

    assert [record.event for record in recorded(db, limit=None)] == LONG
    assert [record.seq for record in recorded(db, after=5, limit=3)] == [6, 7, 8]
    assert recorded(db, after=len(LONG)) == []


def test_records_of_some_kinds(story):
    db, _ = story
    found = [record.event for record in records(db, kinds=("order_filled",))]

    assert found == FILLS
    assert recorded(db, kinds=("nothing_like_it",)) == []


def test_reading_may_stop_halfway(story):
    db, _ = story
    reading = records(db)
    next(reading)
    reading.close()

    assert db.execute("PRAGMA wal_checkpoint").fetchone()[0] == 0  # no cursor pins anything


def test_records_by_market_time_from_one_moment_up_to_another(story):
    db, _ = story
    start, end = CLOSE + timedelta(days=2), CLOSE + timedelta(days=5)

    found = [record.event for record in events_between(db, start, end)]

    assert found == [event for event in LONG if start <= event.at < end]
    assert [type(event) for event in found] == [BarsClosed] * 3
    assert not list(events_between(db, start, end, ("halted",)))


def test_the_newest_orders_oldest_first(story):
    db, _ = story
    everything = orders(db, limit=1000)

    assert [order.order_id for order in orders(db, limit=3)] == [
        order.order_id for order in everything[-3:]
    ]


def test_open_orders_are_those_still_open(story):
    db, now = story

    assert tuple(orders(db, open_only=True)) == now.open_orders
    assert now.open_orders


def test_orders_since_a_time(story):
    db, _ = story

    assert orders(db, since=CLOSE) == orders(db)
    assert orders(db, since=CLOSE + timedelta(seconds=1)) == []


def test_an_order_by_its_id_or_by_its_command(story):
    db, _ = story
    for order in orders(db, limit=1000):
        assert order_by_id(db, order.order_id) == order
        assert orders_of(db, order.rid) == [order]
    assert order_by_id(db, "nobody") is None
    assert orders_of(db, "nobody") == []


def test_executions_are_the_events_that_booked_them(story):
    db, _ = story

    assert fills(db) == FILLS
    assert fills(db, limit=2) == FILLS[-2:]
    assert fills(db, since=CLOSE + timedelta(seconds=1)) == []


def test_an_order_says_what_its_executions_add_up_to(story):
    db, _ = story
    traded: dict[str, D] = {}
    for fill in FILLS:
        traded[fill.order_id] = traded.get(fill.order_id, D(0)) + abs(fill.quantity)

    assert {o.order_id: o.filled for o in orders(db, limit=1000) if o.filled} == traded


@pytest.fixture
def asked():
    """A journal of three commands, one of them not yet over."""
    db = in_memory()
    rows = [command("a"), command("b", final=False), command("c")]
    append(db, Batch(LONG[:1], WALL, commands=rows), GENESIS)
    yield db, rows
    db.close()


def test_commands_by_their_ids(asked):
    db, (a, b, c) = asked

    assert find_commands(db, [a.rid, c.rid, "nobody"]) == {a.rid: a, c.rid: c}
    assert find_commands(db, []) == {}
    assert find_commands(db, [a.rid, b.rid, *map(str, range(5000))]) == {a.rid: a, b.rid: b}


def test_a_command_by_id_or_by_key(asked):
    db, (a, _, _) = asked

    assert command_by_id(db, a.rid) == a
    assert command_by_id(db, a.key) == a
    assert command_by_id(db, "nobody") is None


def test_the_last_order_that_never_reached_the_broker_by_the_keys_of_its_command():
    db = in_memory()
    placed = [
        Order(f"{rid}.{leg}", rid, "KO", D(1), status, CLOSE, CLOSE.date(), D(50))
        for rid, leg, status in (
            (command("auto|a").rid, 0, Status.NOT_PLACED),
            (command("auto|a|2").rid, 0, Status.NOT_PLACED),
            (command("auto|a|2").rid, 1, Status.FILLED),
            (command("other").rid, 0, Status.NOT_PLACED),
        )
    ]
    rows = [command("auto|a"), command("auto|a|2"), command("other")]
    append(db, Batch(LONG[:1], WALL, commands=rows, orders=placed), GENESIS)

    assert last_not_placed(db, "auto|a") == f"{command('auto|a|2').rid}.0"
    assert last_not_placed(db, "auto|b") is None
    db.close()


def test_commands_that_are_not_over(asked):
    db, (_, b, _) = asked

    assert unfinished(db) == [b]


STARTED, AGREED = Started(start(), CLOSE), Reconciled((), CLOSE)
DIFFER = Reconciled((Difference("cash", D(0), D(1)),), CLOSE)


def deposit(ref):
    """Cash that the paper broker has to be told of, by a reference."""
    return CashMoved("deposit", D(1), "by ann", CLOSE, ref=ref)


@pytest.mark.parametrize(
    ("events", "refs"),
    [
        pytest.param([STARTED, AGREED, deposit("a")], "a", id="this run's"),
        pytest.param([STARTED, AGREED, deposit("a"), STARTED], "a", id="the run's before"),
        pytest.param(
            [STARTED, AGREED, deposit("a"), STARTED, deposit("b"), AGREED],
            "b",
            id="not what was told at a start after which the books agreed",
        ),
        pytest.param(
            [STARTED, deposit("a"), STARTED, deposit("b"), DIFFER, STARTED],
            "ab",
            id="while the books differ, all of it",
        ),
        pytest.param([CashMoved("initial", D(1), "", CLOSE), AGREED], "", id="nobody's"),
    ],
)
def test_cash_the_paper_broker_may_not_have_been_told_of(events, refs):
    db = in_memory()
    write(db, GENESIS, Snapshot(), events)

    assert untold(db) == {ref: D(1) for ref in refs}
    db.close()
