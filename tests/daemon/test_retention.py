"""A key older than the retention is answered with how it ended; never is it done anew."""

from contextlib import closing
from datetime import timedelta
from decimal import Decimal as D

import pytest

from control.protocol import Exit, decode_reply
from daemon.retention import PORTION, SHORT, shorten_replies
from daemon.store import open_inline
from state.command import Halt, MoveCash, SubmitOrder
from state.event import OrderSubmitted
from state.integrity import verify
from state.journal import connect
from state.retention import shorten
from tests.chronicle import WALL, command, raw
from tests.desk import desk

BUY = SubmitOrder("buy", "KO", D(10))
YEARS = timedelta(days=500).total_seconds()


async def aged(one, keep="400d"):
    """Let 500 days pass, and old replies be shortened."""
    one.clock.advance(YEARS)
    return await shorten_replies(one.store, keep, one.clock.wall())


async def test_an_old_key_gets_its_stored_verdict_and_no_second_order(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        first = await one.say(BUY, key="old")
        await one.close(51, 100)
        whole = await one.say(BUY, key="old")
        assert whole.status == "completed"
        assert await aged(one) > 0

        again = await one.say(BUY, key="old")
        assert again.replayed
        assert (again.exit, again.status) == (whole.exit, whole.status)
        assert (again.key, again.command_id) == ("old", first.command_id)
        assert again.data is None
        assert SHORT in again.warnings
        assert len(one.events(OrderSubmitted)) == 1
        other = await one.say(MoveCash("deposit", D(1)), key="old")
        assert other.exit is Exit.CONFLICT


async def test_an_old_refusal_stays_a_refusal(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        await one.say(Halt("drill"), key="h")
        refused = await one.say(BUY, key="old")
        await aged(one)
        again = await one.say(BUY, key="old")
    assert (again.exit, again.error) == (refused.exit, refused.error) != (Exit.DONE, None)


async def test_after_a_restart_it_is_the_same(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        await one.say(MoveCash("deposit", D(1)), key="old")
        await aged(one)
        told = await one.say(MoveCash("deposit", D(1)), key="old")
    async with desk(tmp_path) as one:
        assert await one.say(MoveCash("deposit", D(1)), key="old") == told
        assert one.now.ledger.cash == D(100_001)
        assert (await one.store.read(verify)).ok


async def test_what_is_young_or_not_over_yet_stays_whole(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        open_ = await one.say(BUY, key="open")
        assert open_.status == "accepted"
        await aged(one)
        young = await one.say(MoveCash("deposit", D(1)), key="young")
        assert await shorten_replies(one.store, "400d", one.clock.wall()) == 0
        assert (await one.say(BUY, key="open")).data == open_.data
        assert (await one.say(MoveCash("deposit", D(1)), key="young")).data == young.data


async def test_for_ever_is_the_default(tmp_path):
    async with desk(tmp_path) as one:
        await one.say(MoveCash("deposit", D(1)), key="old")
        assert await aged(one, keep="") == 0


async def test_many_are_shortened_a_portion_at_a_time(tmp_path):
    store, _, _ = open_inline(tmp_path / "journal.db")
    reply = store._writer.db
    rows = [command(f"k{n}") for n in range(PORTION + 1)]
    reply.executemany(
        "INSERT INTO command (rid, key, op, principal, digest, final, wall_us, reply)"
        " VALUES (?, ?, 'order', 'ann', 'd', 1, 0, ?)",
        [(row.rid, row.key, REPLY) for row in rows],
    )
    assert await store.shorten(WALL, lambda reply: b"x", PORTION) == PORTION
    assert await store.shorten(WALL, lambda reply: b"x", PORTION) == 1
    assert await store.shorten(WALL, lambda reply: b"x", PORTION) == 0
    await store.aclose()


REPLY = b'{"command":"order","ok":true,"status":"completed","exit":0}'


def test_the_file_itself_forgets_no_key_and_shortens_once(tmp_path):
    path = tmp_path / "journal.db"
    with closing(connect(path)) as db:
        db.execute("INSERT INTO command VALUES ('r', 'k', 'o', 'p', 'd', 1, 0, ?, 0)", (REPLY,))
        assert shorten(db, WALL, lambda reply: b"{}", 10) == 1
        assert decode_reply(REPLY).ok
    with closing(raw(path)) as db:
        for statement in ("DELETE FROM command", "UPDATE command SET reply = x'00', short = 1"):
            with pytest.raises(Exception, match="never"):
                db.execute(statement)
