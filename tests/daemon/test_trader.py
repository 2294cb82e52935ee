"""What happens at a close, in order."""

import logging
from decimal import Decimal as D
from functools import partial

import pytest

from daemon.mind import Outcome
from state.alerts import World, ills
from state.belief import Belief
from state.command import CancelOrders, Claim, Halt, MakePlan, Rebalance, SubmitOrder
from state.event import BarsClosed, CommandSkipped, OrderFilled, OrderSubmitted
from state.history import last_not_placed
from state.order import Status
from tests.desk import desk, rising

BUY = SubmitOrder("buy", "KO", D(10))


def always(session):
    return True


async def test_an_order_fills_at_the_next_close_and_is_in_that_closes_equity(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        await one.say(BUY, key="b")
        await one.close(60, 100)
        kinds = one.events()
        assert kinds.index("OrderFilled") < len(kinds) - 1 - kinds[::-1].index("BarsClosed")
        (fill,) = one.events(OrderFilled)
        assert fill.price == D(60)
        assert one.events(BarsClosed)[-1].cash == D(99_400)


async def test_autonomous_it_rebalances_when_due_once_a_session(tmp_path):
    async with desk(tmp_path, due=always) as one:
        await one.close(50, 100)
        assert {e.symbol for e in one.events(OrderSubmitted)} == {"KO", "PG"}
        await one.close(50, 100)
        assert one.now.ledger.held("KO") == D(1000)
        assert [e.code for e in one.events(CommandSkipped)] == ["AT_TARGET"]


async def test_autonomous_a_halt_is_obeyed(tmp_path):
    async with desk(tmp_path, due=always) as one:
        await one.say(Halt("drill"), key="h")
        await one.close(50, 100)
        assert not one.events(OrderSubmitted)
        assert not one.broker.placed


async def test_a_strategy_sees_the_closes_up_to_now_and_what_is_held(tmp_path):
    seen = []

    def looking(closes, held):
        seen.append((closes.copy(), held.copy()))
        return rising(closes, held)

    async with desk(tmp_path, due=always, propose=looking) as one:
        await one.close(50, 100)
        await one.close(51, 100)
        await one.close(52, 100)
        assert [row.tolist() for row in seen[-1][0]] == [[50, 100], [51, 100], [52, 100]]
        assert seen[-1][1][0] == pytest.approx(0.5, abs=0.01)
        assert seen[0][1].tolist() == [0, 0]


async def test_a_strategy_that_fails_stops_nothing_but_its_trading(tmp_path, caplog):
    def broken(closes, held):
        raise ZeroDivisionError

    async with desk(tmp_path, propose=broken) as one:
        with caplog.at_level(logging.ERROR):
            await one.close(50, 100)
        assert "strategy_failed" in caplog.text
        assert one.now.targets is None
        assert (await one.say(Rebalance(), key="k")).error.code == "NO_TARGETS"
        assert (await one.say(BUY, key="b")).ok


async def test_a_strategy_that_fails_later_has_nobody_trade_by_its_old_targets(tmp_path):
    failing = False

    def moody(closes, held):
        if failing:
            raise ZeroDivisionError("no room")
        return {"KO": 0.25, "PG": 0.0}

    async with desk(tmp_path, due=always, propose=moody) as one:
        await one.close(50, 100)
        await one.close(50, 100)
        assert len(one.events(OrderSubmitted)) == 1
        failing = True
        await one.close(80, 100)  # what is held is far from its target now
        assert len(one.events(OrderSubmitted)) == 1
        assert one.now.targets == {"KO": 0.25, "PG": 0.0}
        for command in (Rebalance(), MakePlan()):
            error = (await one.say(command, key=type(command).__name__)).error
            assert (error.code, "no room" in error.message) == ("TARGETS_STALE", True)
            assert str(one.now.decided) in error.message
        assert [ill.message for ill in ills(one.now, World(), one.now.at)] == ["no room"]
        failing = False
        await one.close(80, 100)
        assert len(one.events(OrderSubmitted)) == 2
        assert not ills(one.now, World(), one.now.at)


class Decided:
    """A mind that wants what it always wants, and may be forbidden to have it traded."""

    def __init__(self):
        self.forbidden = ""

    async def think(self, close, held):
        return Outcome(
            Belief("numpy", "", close.at, (), (), 1.0, b"", b""), {"KO": 0.25, "PG": 0.0}
        )


async def test_a_mind_that_is_forbidden_to_trade_has_nobody_trade_by_its_old_targets(tmp_path):
    mind, due = Decided(), iter([True, False, True, True]).__next__

    async with desk(tmp_path, due=lambda session: due(), mind=mind) as one:
        await one.close(50, 100)
        assert len(one.events(OrderSubmitted)) == 1
        mind.forbidden = "LIVE_NOT_ARMED: nobody approved it"
        await one.close(80, 100)  # not due, and told all the same
        error = (await one.say(Rebalance(), key="k")).error
        assert (error.code, mind.forbidden in error.message) == ("TARGETS_STALE", True)
        await one.close(80, 100)
        assert len(one.events(OrderSubmitted)) == 1
        assert [event.belief is not None for event in one.events(BarsClosed)] == [True] * 3
        mind.forbidden = ""
        await one.close(80, 100)
        assert len(one.events(OrderSubmitted)) == 2


async def test_a_close_that_needs_no_targets_leaves_them_as_they_are(tmp_path):
    due = iter([True, False, False]).__next__

    async with desk(tmp_path, due=lambda session: due()) as one:
        for _ in range(3):
            await one.close(50, 100)
        assert one.now.undecided == ""
        assert one.now.decided < one.now.session
        assert (await one.say(Rebalance(), key="k")).error.code == "AT_TARGET"


async def test_a_missing_bar_leaves_the_last_price(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        await one.close(55, 101, only=("PG",))
        assert (one.now.price("KO"), one.now.price("PG")) == (D(50), D(101))


async def test_what_is_held_keeps_its_weight_through_a_missing_bar(tmp_path):
    seen = []

    def looking(closes, held):
        seen.append(held.copy())
        return {"KO": 0.5, "PG": 0.25}

    async with desk(tmp_path, due=always, propose=looking) as one:
        await one.close(50, 100)
        await one.close(50, 100)
        await one.close(55, 100, only=("PG",))
        assert seen[-1][0] == pytest.approx(0.5, abs=0.01)


async def test_the_window_slides(tmp_path):
    lengths = []

    def counting(closes, held):
        lengths.append((len(closes), closes[-1, 0]))
        return {"KO": 0.0, "PG": 0.0}

    async with desk(tmp_path, propose=counting) as one:
        for n in range(45):
            await one.close(50 + n, 100)
    assert lengths[-1] == (10, 94)
    assert [n for n, _ in lengths[:11]] == [*range(1, 11), 10]


async def test_on_command_the_targets_are_fresh_at_every_close(tmp_path):
    async with desk(tmp_path, propose=rising) as one:
        await one.close(50, 100)
        assert one.now.targets == {"KO": 0.0, "PG": 0.0}
        await one.close(51, 100)
        assert one.now.targets == {"KO": 0.5, "PG": 0.0}


async def gone_on(one):
    """Do what a start does once the books agree."""
    await one.trader.resume(partial(one.store.read, last_not_placed))
    await one.quiet()


async def test_a_rebalance_that_a_kill_prevented_is_made_at_the_next_start(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)  # the close is durable, and then the process dies
    for _ in range(2):
        async with desk(tmp_path, due=always) as again:
            await gone_on(again)
            assert sorted(o.symbol for o in again.now.orders.values()) == ["KO", "PG"]


async def test_a_rebalance_that_was_made_is_not_made_again(tmp_path):
    async with desk(tmp_path, due=always) as one:
        await one.close(50, 100)
    async with desk(tmp_path, due=always) as again:
        await gone_on(again)
        assert not again.events(OrderSubmitted)


async def test_what_never_reached_the_broker_is_decided_anew_from_the_targets(tmp_path):
    async with desk(tmp_path, due=always) as one:
        one.sender.close()
        await one.close(50, 100)
        lost, kept = one.now.orders.values()
        await one.engine.tell(Claim((lost.order_id,)))  # and it dies before it sends
    for _ in range(2):
        async with desk(tmp_path, due=always) as again:
            await gone_on(again)
            assert again.now.orders[kept.order_id].status is Status.LIVE
            (new,) = [o for o in again.now.orders.values() if o.rid != lost.rid]
            assert (new.symbol, new.quantity) == (lost.symbol, lost.quantity)
            assert new.status is Status.LIVE


async def test_on_command_nothing_is_made_up_for(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
    async with desk(tmp_path) as again:
        await gone_on(again)
        assert not again.now.orders


async def test_the_targets_of_another_strategy_are_not_traded(tmp_path):
    async with desk(tmp_path) as one:
        one.trader._strategy = "another"
        await one.close(50, 100)
    async with desk(tmp_path, due=always) as again:
        await gone_on(again)
        assert not again.now.orders


async def test_a_rebalance_at_the_end_of_a_feed_is_made_when_the_feed_goes_on(tmp_path):
    async with desk(tmp_path, due=always) as one:
        one.feed.ended = True  # with the last close there is
        await one.close(50, 100)
        assert not one.now.orders
    async with desk(tmp_path, due=always) as again:  # days were added to the file
        await gone_on(again)
        assert sorted(o.symbol for o in again.now.orders.values()) == ["KO", "PG"]


async def test_what_was_asked_back_before_it_was_sent_is_not_decided_anew(tmp_path):
    async with desk(tmp_path, due=always) as one:
        one.sender.close()
        await one.close(50, 100)
        back, kept = one.now.orders.values()
        await one.engine.tell(Claim((back.order_id,)))
        await one.say(CancelOrders(back.order_id), key="c")  # and it dies before it sends
    async with desk(tmp_path, due=always) as again:
        await gone_on(again)
        assert [order.order_id for order in again.broker.placed] == [kept.order_id]
