"""A disk that fills up under a running daemon: it says so, cuts risk, and goes on when it can."""

from contextlib import suppress
from decimal import Decimal as D

import pytest

from control.protocol import Audit, Events, Exit, Fills, Health, Orders, Portfolio, Verify
from state.command import CancelOrders, Halt, MoveCash, Resume, SubmitOrder
from tests.kills.books import faults
from tests.tmd import Tmd
from tests.tmpfs import tmpfs

MIB = 1 << 20
ROOM = 40 * MIB
KO, PG = (SubmitOrder("buy", symbol, D(10)) for symbol in ("KO", "PG"))


@pytest.fixture
def tmd(tmp_path):
    """A daemon on a small disk of its own, with an order that waits at the broker."""
    with tmpfs(tmp_path / "disk", ROOM) as disk, Tmd(disk / "d", pace=0.001) as one:
        one.log = tmp_path / "log"
        one.start().ready()
        placed(one, KO, "ko")
        yield one


def placed(tmd, order, key):
    """Place an order; return its id once the broker has it."""
    reply = tmd.ask(order, key=key)
    assert reply.ok, reply
    (ordered,) = reply.data["orders"]
    tmd.until(lambda: status_of(tmd, ordered["order_id"]) == "live")
    return ordered["order_id"]


def status_of(tmd, order_id):
    """Where an order is, as the journal has it."""
    return {o["order_id"]: o["status"] for o in tmd.data(Orders())["orders"]}[order_id]


def filled(tmd):
    """Write to the disk until there is not a byte left."""
    file = tmd.folder / f"filler {len(list(tmd.folder.iterdir()))}"
    with file.open("wb", buffering=0) as out:
        for size in (MIB, 4096):
            with suppress(OSError):
                while True:
                    out.write(bytes(size))


def emptied(tmd):
    """Make room again."""
    for file in tmd.folder.glob("filler *"):
        file.unlink()


def test_orders_are_refused_at_once_and_everything_else_works(tmd):
    filled(tmd)

    refused = tmd.ask(PG, key="pg")
    assert (refused.exit, refused.error.code) == (Exit.NOT_READY, "DISK_FULL")
    assert tmd.ask(MoveCash("deposit", D(1)), key="m").error.code == "DISK_FULL"

    halted = tmd.until(lambda: tmd.data()["halted"])
    assert halted["code"] == "DISK_FULL"
    assert tmd.rows("SELECT code FROM halt") == [("DISK_FULL",)]  # durable, from the ballast
    health = tmd.ask(Health())
    assert (health.exit, health.status) == (Exit.FINDINGS, "unhealthy")
    for question in (Portfolio(), Orders(), Fills(), Events(), Verify(), Audit()):
        assert tmd.ask(question).ok, question
    (order,) = tmd.data(Orders())["orders"]
    tmd.until(lambda: status_of(tmd, order["order_id"]) == "cancelled")  # as any halt does

    emptied(tmd)
    tmd.until(lambda: tmd.data()["halted"] is None)
    assert tmd.ask(PG, key="pg").ok  # the very command that was refused
    assert tmd.ask(Health()).ok
    assert tmd.stop() == 0
    assert faults(tmd) == []


def test_when_not_even_the_ballast_is_left_cancels_still_go_out(tmd):
    filled(tmd)
    assert tmd.ask(PG, key="pg").error.code == "DISK_FULL"
    tmd.until(lambda: tmd.data()["halted"])
    filled(tmd)
    for n in range(2):
        cancel = tmd.ask(CancelOrders(), key=f"c{n}")
        assert cancel.exit in {Exit.DONE, Exit.NOTHING}, cancel
        assert tmd.ask(PG, key=f"pg{n}").error.code == "DISK_FULL"
    assert tmd.ask(Portfolio()).ok
    tmd.kill()
    told = tmd.said().count("journal_full")
    tmd.start()  # with not a byte to write: it says so, and waits for room
    tmd.until(lambda: tmd.said().count("journal_full") > told)
    emptied(tmd)
    tmd.until(lambda: tmd.data()["halted"] is None)
    assert tmd.ask(PG, key="pg").ok
    assert tmd.stop() == 0
    assert faults(tmd) == []


def test_a_kill_on_a_full_disk_loses_nothing(tmd):
    acknowledged = [tmd.ask(MoveCash("deposit", D(1)), key=f"m{n}") for n in range(5)]
    filled(tmd)
    assert tmd.ask(PG, key="pg").error.code == "DISK_FULL"
    tmd.until(lambda: tmd.data()["halted"])
    tmd.kill()
    tmd.start().until(lambda: tmd.data()["halted"])
    assert tmd.ask(PG, key="pg").error.code == "DISK_FULL"
    for n, reply in enumerate(acknowledged):
        assert tmd.ask(MoveCash("deposit", D(1)), key=f"m{n}").data == reply.data
    emptied(tmd)
    tmd.until(lambda: tmd.data()["halted"] is None)
    assert tmd.ask(PG, key="pg").ok
    assert tmd.stop() == 0
    assert faults(tmd) == []


def test_a_halt_that_somebody_else_made_stays_when_there_is_room_again(tmd):
    assert tmd.ask(Halt("drill"), key="h").ok
    filled(tmd)
    assert tmd.ask(PG, key="pg").error.code == "DISK_FULL"
    emptied(tmd)
    tmd.until(lambda: tmd.ask(MoveCash("deposit", D(1)), key="m").ok)
    assert tmd.data()["halted"]["code"] == "TRADING_HALTED"
    assert tmd.ask(Resume("over", "ann"), key="r").ok
    assert tmd.stop() == 0
    assert faults(tmd) == []


@pytest.mark.nightly  # it waits for all it may wait for
def test_it_stops_although_nothing_can_be_written(tmd):
    filled(tmd)
    assert tmd.ask(PG, key="pg").error.code == "DISK_FULL"
    tmd.until(lambda: tmd.data()["halted"])
    filled(tmd)
    told = tmd.said().count("journal_full")
    assert tmd.ask(CancelOrders(), key="c").exit in {Exit.DONE, Exit.NOTHING}
    assert tmd.ask(Halt("drill"), key="h").exit in {Exit.DONE, Exit.PENDING}
    tmd.until(lambda: tmd.said().count("journal_full") > told)  # what waits for room is in memory
    assert tmd.stop(20) == 0
    emptied(tmd)
    tmd.start().ready()
    assert tmd.data()["halted"]["code"] == "TRADING_HALTED"  # by the halt file, empty or not
    assert tmd.ask(Resume("over", "ann"), key="r").ok
    assert faults(tmd) == []
