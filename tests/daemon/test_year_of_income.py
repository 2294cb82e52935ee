"""A year at a real broker's: dividends, deposits and splits halt nothing, every true break does."""

from contextlib import asynccontextmanager
from decimal import Decimal as D

import numpy as np
import pytest

from control import protocol as ask
from daemon.brokers.custodian import Custodian
from daemon.recovery import check
from state.command import AcceptDifference, ExpectDifference, Resume, SubmitOrder
from state.event import CashMoved, Halted, SplitBooked
from tests.desk import CONFIG, desk

SESSIONS = 252
QUIET = CONFIG.replace("[risk]", "[risk]\nmax_drawdown = 1.0\nmax_day_loss = 1.0")


@asynccontextmanager
async def invested(state):
    """Run a desk with 500 KO at 50 and 250 PG at 100, half of 100,000, at a broker that is real."""
    async with desk(state, config=QUIET, between=Custodian, mode="live") as one:
        await one.close(50, 100)
        for symbol, quantity in (("KO", 500), ("PG", 250)):
            reply = await one.say(SubmitOrder("buy", symbol, D(quantity)), key=symbol)
            assert reply.ok, reply
        await one.close(50, 100)
        assert one.now.ledger.cash == D(50_000)
        yield one


async def compared(one):
    return await check(one.engine, one.broker, one.clock, 0.0)


async def announce(one, *words):
    reply = await one.say(ExpectDifference(*words), key=f"expect {one.engine.head.seq}")
    assert reply.ok, reply


async def test_a_year_of_income_halts_nothing(tmp_path):
    chance = np.random.default_rng(6)
    dividends = {int(n) for n in chance.choice(SESSIONS, 80, replace=False)}
    deposits, splits = {30, 95, 160, 225}, {70: ("KO", D(2), D(1)), 140: ("PG", D(3), D(2))}
    prices = {"KO": 50.0, "PG": 100.0}
    paid = D(0)
    async with invested(tmp_path) as one:
        for day in range(SESSIONS):
            prices = {s: p * float(np.exp(chance.normal(0, 0.01))) for s, p in prices.items()}
            if day in deposits:
                await announce(one, "deposit", "savings", D(5000))
                one.behind.pay(D(5000))
            if day in splits:
                symbol, new, old = splits[day]
                await announce(one, f"split:{new}:{old}", "announced", None, symbol)
                await one.behind.split(symbol, new, old)
                prices[symbol] *= float(old / new)
            if day in dividends:
                amount = D(int(chance.integers(20_000_000, 90_000_000))) / 1_000_000
                paid += amount
                one.behind.pay(amount)
            assert await compared(one) == (), day
            assert one.now.reconciled
            await one.close(*(D(f"{prices[s]:.2f}") for s in ("KO", "PG")))

        assert one.events(Halted) == []
        assert len([e for e in one.events(CashMoved) if e.kind == "pending"]) == 80
        assert len(one.events(SplitBooked)) == 2
        assert (one.now.ledger.held("KO"), one.now.ledger.held("PG")) == (1000, 375)
        assert one.now.ledger.flows == 120_000
        assert one.now.pending == one.now.ledger.income == paid
        checks = {c["name"]: c["severity"] for c in (await one.say(ask.Audit())).data["checks"]}
        assert (checks["books"], checks["ledger"], checks["cash_pending"]) == ("ok", "ok", "warn")

        reply = await one.say(AcceptDifference("dividend", "the year's"), key="dividends")
        assert reply.ok
        assert (one.now.pending, one.now.ledger.income) == (0, paid)


async def theft(one):
    one.behind.pay(D(-300))


async def more_than_small_change_at_once(one):
    one.behind.pay(D(150))
    assert await compared(one) == ()
    one.behind.pay(D(60))


async def a_unit_more(one):
    one.behind.move("KO", D(1))


async def a_unit_less(one):
    one.behind.move("PG", D(-1))


async def a_holding_of_something_else(one):
    one.behind.move("XOM", D(1))


async def a_unit_bought_for_small_change(one):
    one.behind.move("KO", D(1))
    one.behind.pay(D(-50))


async def another_amount_than_was_announced(one):
    await announce(one, "deposit", "savings", D(5000))
    one.behind.pay(D(6000))


async def an_announced_deposit_that_comes_twice(one):
    await announce(one, "deposit", "savings", D(5000))
    one.behind.pay(D(5000))
    assert await compared(one) == ()
    one.behind.pay(D(5000))


async def a_split_nobody_announced(one):
    await one.behind.split("KO", D(2), D(1))


async def another_split_than_was_announced(one):
    await announce(one, "split:2", "announced", None, "KO")
    await one.behind.split("KO", D(3), D(1))


BREAKS = [
    theft,
    more_than_small_change_at_once,
    a_unit_more,
    a_unit_less,
    a_holding_of_something_else,
    a_unit_bought_for_small_change,
    another_amount_than_was_announced,
    an_announced_deposit_that_comes_twice,
    a_split_nobody_announced,
    another_split_than_was_announced,
]


@pytest.mark.parametrize("plant", BREAKS, ids=lambda plant: plant.__name__)
async def test_every_planted_break_halts(tmp_path, plant):
    async with invested(tmp_path) as one:
        await plant(one)
        left = await compared(one)
        assert left, "the difference is shown"
        assert one.now.halting().code == "RECONCILE_PENDING"
        reply = await one.say(SubmitOrder("buy", "KO", D(1)), key="after")
        assert reply.exit == 6
        (seen,) = [c for c in (await one.say(ask.Audit())).data["checks"]
                   if c["name"] == "books"][:1]  # fmt: skip
        assert seen["severity"] == "breach"


async def test_a_split_is_explained_afterwards(tmp_path):
    async with invested(tmp_path) as one:
        await one.behind.split("KO", D(2), D(1))
        await compared(one)
        equity = one.now.equity
        wrong = await one.say(AcceptDifference("split:3", "?"), key="wrong")
        assert wrong.error.code == "KIND_MISMATCH"
        reply = await one.say(AcceptDifference("split:2", "two for one"), key="s")
        assert reply.ok, reply
        assert (one.now.ledger.held("KO"), one.now.price("KO")) == (1000, 25)
        assert one.now.equity == equity
        assert await compared(one) == ()
        assert (await one.say(Resume("explained", accept_risk="ann"), key="r")).ok


async def test_a_price_that_fell_with_the_split_is_not_divided_again(tmp_path):
    async with invested(tmp_path) as one:
        await one.behind.split("KO", D(2), D(1))
        await compared(one)
        await one.close(25, 100)
        await one.say(AcceptDifference("split:2", "two for one"), key="s")
        assert one.now.price("KO") == 25


async def test_a_reverse_split_pays_the_fraction_out(tmp_path):
    async with invested(tmp_path) as one:
        one.behind.move("KO", D(-451))
        one.behind.pay(D(30))
        assert len(await compared(one)) == 2
        reply = await one.say(AcceptDifference("split:1:10.2", "reverse"), key="s")
        assert reply.ok, reply
        assert one.now.ledger.held("KO") == 49
        assert one.now.pending == 30
        assert await compared(one) == ()


async def test_pending_cash_that_was_a_deposit_is_no_return(tmp_path):
    async with invested(tmp_path) as one:
        one.behind.pay(D(100))
        await compared(one)
        assert one.now.ledger.income == 100
        await one.say(AcceptDifference("deposit", "pocket money"), key="p")
        assert (one.now.ledger.income, one.now.ledger.flows) == (0, 100_100)
        assert one.now.ledger.cash == 50_100


async def test_the_paper_brokers_book_has_to_agree_to_the_micro(tmp_path):
    async with desk(tmp_path, between=Custodian) as one:
        await one.close(50, 100)
        one.behind.pay(D("0.000001"))
        assert await compared(one)
        assert one.now.halting().code == "RECONCILE_PENDING"


@pytest.mark.parametrize(
    "words",
    [
        ("split:2", "?", None, "XOM"),
        ("split:0", "?", None, "KO"),
        ("deposit", "?", None, None),
        ("deposit", "?", D(-5), None),
        ("deposit", "?", D(5), "KO"),
        ("adjustment", "?", D(5), None),
    ],
)
async def test_what_can_not_happen_is_not_announced(tmp_path, words):
    async with invested(tmp_path) as one:
        reply = await one.say(ExpectDifference(*words), key="e")
        assert reply.error.code == "KIND_MISMATCH"
        assert one.now.expected == ()
