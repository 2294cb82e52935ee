"""The rounds, and what an audit is told of the world."""

from decimal import Decimal as D

import pytest

from control import protocol as ask
from state.command import CancelOrders, SubmitOrder
from tests.desk import desk


@pytest.mark.parametrize("what", [SubmitOrder("buy", "PG", D(10)), CancelOrders()])
@pytest.mark.parametrize("when", range(4))
async def test_orders_that_come_or_go_during_an_audit_are_no_finding(tmp_path, what, when):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        await one.say(SubmitOrder("buy", "KO", D(10)), key="b")
        await one.quiet()
        book, looks = one.broker.book, []

        async def and_asked(since):
            found = await book(since)
            looks.append(found)
            if len(looks) == when:
                await one.say(what, key="meanwhile")
                await one.quiet()
            return found

        one.broker.book = and_asked
        audit = (await one.say(ask.Audit())).data
        (check,) = [c for c in audit["checks"] if c["name"] == "orders_broker"]
        assert check["severity"] == "ok", check
        assert len(looks) == 2 + (when == 2)
