"""The line is cut at every message of the synchronisation, and of what an order is told of.

Each time the books end as the gateway has them, and no order is there twice.
"""

from contextlib import asynccontextmanager
from decimal import Decimal as D

import pytest

from state.command import CancelOrders, SubmitOrder
from tests.ib.chaos import (
    Chaos,
    Hurried,
    agreed,
    asked,
    first_close,
    gateway_at,
    trading,
    until,
)

WHEN = ("before", "mid", "after")
SYNCHRONISING = (
    "managedAccounts", "nextValidId", "updateAccountValue",
    "accountDownloadEnd", "openOrder", "orderStatus", "openOrderEnd", "completedOrder",
    "completedOrdersEnd", "execDetails", "execDetailsEnd", "position", "positionEnd",
)  # fmt: skip
AT_FIRST = ("contractDetails", "contractDetailsEnd")  # of the first connection only
LIVING = ("openOrder", "orderStatus", "execDetails", "commissionReport")


@asynccontextmanager
async def desked(folder, *cut):
    """Run a desk on a gateway, the line cut for the first time where `cut` says, if it does."""
    clock = Hurried()
    async with gateway_at(clock) as fake:
        if cut:
            fake.drop_on(*cut)
        async with trading(folder, fake, clock) as one:
            await until(lambda: one.now.reconciled, "it is never ready")
            await one.trader.on_close(first_close())
            yield one, fake, Chaos(fake, None)


@asynccontextmanager
async def traded(folder):
    """Run a desk that holds something and had something cancelled."""
    async with desked(folder) as (one, fake, quiet):
        await asked(one, SubmitOrder("buy", "KO", D(30)), "bought", quiet)
        await asked(one, SubmitOrder("buy", "PG", D(3), D(98)), "taken back", quiet)
        await until(lambda: len(fake.orders) == 2, "the gateway has no two orders")
        assert await agreed(one, fake, quiet) == []
        yield one, fake, quiet


@pytest.mark.timeout(240)
@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("kind", AT_FIRST)
async def test_cut_at_what_is_asked_once_it_asks_again(tmp_path, kind, when):
    async with desked(tmp_path, kind, when) as (one, fake, quiet):
        assert all(not fault.times for fault in fake.faults), "it was never said"
        await asked(one, SubmitOrder("buy", "KO", D(30)), "bought", quiet)
        assert await agreed(one, fake, quiet) == []


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "when",
    [when if when == "mid" else pytest.param(when, marks=pytest.mark.nightly) for when in WHEN],
)
async def test_cut_at_each_message_of_the_synchronisation_it_comes_back(tmp_path, when):
    async with traded(tmp_path) as (one, fake, quiet):
        await asked(one, SubmitOrder("buy", "PG", D(50), D(98)), "rests", quiet)
        await until(lambda: any(order.live for order in fake.orders), "nothing rests")
        for kind in SYNCHRONISING:
            cut, number = fake.drop_on(kind, when), one.broker.connection
            fake.drop()  # so that everything is asked, and there is news
            fake.fill(fake.orders[-1], 1)
            await until(lambda cut=cut: cut.hits, f"{kind} was never said")
            await until(lambda n=number: one.broker.connection > n, f"no way back from {kind}")
            await until(lambda: one.now.reconciled and one.broker.connected, f"cut at {kind}")
        assert await agreed(one, fake, quiet) == []
        assert len(fake.orders) == 3


@pytest.mark.timeout(240)
@pytest.mark.parametrize("when", WHEN)
async def test_cut_at_each_message_of_an_orders_life_it_is_there_once(tmp_path, when):
    async with traded(tmp_path) as (one, fake, quiet):
        for n, kind in enumerate(LIVING):
            cut = fake.drop_on(kind, when)
            await asked(one, SubmitOrder("buy", "KO", D(10 + n)), f"cut {n}", quiet)
            await until(lambda cut=cut: cut.hits, f"{kind} was never said")
            assert await agreed(one, fake, quiet) == [], kind
        assert [order.qty for order in fake.orders[2:]] == [10 + n for n in range(len(LIVING))]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("read", [True, False], ids=["read", "unread"])
async def test_cut_as_an_order_or_its_cancel_is_sent(tmp_path, read):
    async with traded(tmp_path) as (one, fake, quiet):
        for kind, key in (("placeOrder", "a"), ("cancelOrder", "b")):
            drop = fake.drop_after_accept if read else fake.drop_before_accept
            cut = drop(kind=kind)
            await asked(one, SubmitOrder("buy", "PG", D(7), D(98)), key, quiet)
            if kind == "cancelOrder":
                await until(lambda: any(order.live for order in fake.orders), "nothing rests")
                await asked(one, CancelOrders(), "back", quiet)
            await until(lambda cut=cut: cut.hits, f"{kind} was never heard")
            assert await agreed(one, fake, quiet) == [], kind
        assert len(fake.orders) <= 4
