"""One key, asked again and again by a hundred at a time, through kills: one order, one reply."""

import asyncio
import os
import signal
from collections import Counter
from decimal import Decimal as D

import pytest
from msgspec.structs import replace

from control.protocol import Await, Exit, decode_reply, encode
from control.request import Request
from state.command import SubmitOrder
from state.order import request_id
from tests.kills.books import faults
from tests.kills.lives import Forked
from tests.kills.load import LOST, Link
from tests.tmd import DEADLINE, Tmd

AT_ONCE, REPLAYS, KILLS = 100, 10_000, 20
KEY = "dag|run|task|-1|order"
BUY = Request(SubmitOrder("buy", "KO", D(10)), key=KEY)
OTHER = replace(BUY, ask=SubmitOrder("buy", "KO", D(11)))


async def asked(path, request):
    """Return the reply as it came over the wire, asking until there is one that is kept."""
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                link = await Link.open(path)
            except (*LOST, AssertionError):
                await asyncio.sleep(0.02)
                continue
            try:
                await link.send(encode(request))
                body = await link.frame()
                if decode_reply(body).exit is not Exit.NOT_READY:  # then nothing was written
                    return body
            except LOST:
                await asyncio.sleep(0.02)
            finally:
                await link.close()


async def all_at_once(path, count, request=BUY):
    return await asyncio.gather(*(asked(path, request) for _ in range(count)))


@pytest.mark.nightly
@pytest.mark.timeout(900)
async def test_a_key_is_one_order_and_one_reply(tmp_path):
    with Tmd(tmp_path / "d") as tmd:
        async with Forked(tmd) as lives:
            await lives.begin()
            first = Counter(await all_at_once(tmd.socket, AT_ONCE))
            assert sum(not decode_reply(body).replayed for body in first) <= 1
            await asked(tmd.socket, Request(Await(KEY), wait=DEADLINE))

            bodies, done = Counter(), 0
            batches = REPLAYS // AT_ONCE
            for batch in range(batches):
                asking = asyncio.create_task(all_at_once(tmd.socket, AT_ONCE))
                if batch % (batches // KILLS) == 0:  # while they ask
                    await asyncio.sleep(0.005)
                    os.kill(lives.pid, signal.SIGKILL)
                    assert await lives.ended() == -signal.SIGKILL
                    await lives.begin()
                bodies.update(await asking)
                done += AT_ONCE
            for body in await all_at_once(tmd.socket, 5, OTHER):
                assert decode_reply(body).exit is Exit.CONFLICT
            os.kill(lives.pid, signal.SIGTERM)
            assert await lives.ended() == 0, tmd.said()[-3000:]

        (body,) = bodies
        reply = decode_reply(body)
        assert (bodies[body], reply.replayed, reply.key) == (REPLAYS, True, KEY)
        assert len(reply.data["orders"]) == 1
        rid = request_id(KEY)
        assert tmd.rows("SELECT order_id FROM intent WHERE rid = ?", rid) == [(f"{rid}.0",)]
        ref = f"TM1.{rid}.0"
        there = "SELECT count(*) FROM orders WHERE order_ref = ?"
        assert tmd.rows(there, ref, file="paper.db") == [(1,)]
        assert faults(tmd) == []
        print(f"{done} replays, {AT_ONCE} at a time, {KILLS} kills: one order, equal to the byte")
