"""The life of an order: what may follow what, and how much of it may still trade."""

from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.order import (
    IN_DOUBT,
    OPEN,
    TRANSITIONS,
    ImpossibleTransition,
    Order,
    Status,
    Trigger,
    after,
    order_id,
    request_id,
)
from tests.given import CLOSE, TUESDAY

FINAL = set(Status) - OPEN
NEVER_SENT = {Status.EXPIRED, Status.HALTED}
FILLS = (Trigger.FILL_SOME, Trigger.FILL_ALL)


def order(status=Status.LIVE, quantity=100, **fields):
    return Order("R.0", "R", "KO", D(quantity), status, CLOSE, TUESDAY, D(50), **fields)


@pytest.mark.parametrize(
    ("triggers", "ends"),
    [
        pytest.param("claim accept fill_some fill_all", "filled", id="the common road"),
        pytest.param("claim fill_all", "filled", id="filled before it was acknowledged"),
        pytest.param("claim fill_all accept", "filled", id="acknowledged after it was filled"),
        pytest.param("claim accept ask_cancel cancel", "cancelled", id="asked back"),
        pytest.param("claim accept ask_cancel fill_all", "filled", id="the fill won the race"),
        pytest.param("claim accept cancel fill_some", "cancelled", id="a cancel overtook a fill"),
        pytest.param("claim accept cancel fill_all", "filled", id="a cancel overtook all of them"),
        pytest.param("claim reject", "broker_rejected", id="refused"),
        pytest.param("claim accept reject", "broker_rejected", id="refused after all"),
        pytest.param("ask_cancel", "cancelled", id="asked back before it was sent"),
        pytest.param("expire", "expired", id="too late"),
        pytest.param("halt", "halted", id="halted"),
        pytest.param("claim lose", "unknown", id="lost"),
        pytest.param("claim lose ask_cancel lose accept", "live", id="found again"),
        pytest.param("claim lose not_seen", "not_placed", id="never arrived"),
        pytest.param("claim not_seen accept fill_all", "filled", id="a zombie"),
        pytest.param("claim accept fill_all fill_all", "filled", id="more than was ordered"),
    ],
)
def test_an_orders_life(triggers, ends):
    now = order(Status.PENDING)
    for trigger in triggers.split():
        now = order(after(now, Trigger(trigger)))

    assert now.status == ends


@pytest.mark.parametrize("status", sorted(NEVER_SENT))
def test_nothing_of_our_own_doing_happens_to_what_never_left(status):
    told = {trigger for was, trigger in TRANSITIONS if was is status}

    assert told == {Trigger.ACCEPT, Trigger.CANCEL, Trigger.REJECT, *FILLS}


@pytest.mark.parametrize("trigger", FILLS)
@pytest.mark.parametrize("status", Status)
def test_an_execution_is_booked_whatever_the_order_was_thought_to_be(status, trigger):
    """Nothing may stop the book from following the broker's, not even more than was ordered."""
    assert TRANSITIONS[status, trigger] in {*OPEN, *FINAL}


@pytest.mark.parametrize("trigger", FILLS)
def test_an_execution_never_opens_what_the_broker_ended(trigger):
    for status in (Status.FILLED, Status.CANCELLED, Status.BROKER_REJECTED):
        assert TRANSITIONS.get((status, trigger), status) in FINAL


def test_only_a_zombie_comes_back_to_life():
    revived = {was for (was, _), then in TRANSITIONS.items() if was in FINAL and then in OPEN}

    assert revived == {Status.NOT_PLACED, *NEVER_SENT}


def test_of_our_own_doing_only_a_claim_leads_out_to_the_wire():
    brokers = {Trigger.ACCEPT, *FILLS}  # its word is proof that the order is out already
    ways = {trigger for (was, trigger), then in TRANSITIONS.items() if was is Status.PENDING
            and then in OPEN}  # fmt: skip

    assert ways - brokers == {Trigger.CLAIM}
    assert TRANSITIONS[Status.PENDING, Trigger.CLAIM] in IN_DOUBT


@given(st.lists(st.sampled_from(Trigger)))
def test_every_status_an_order_can_reach_is_one_of_the_table(triggers):
    now = order(Status.PENDING)
    for trigger in triggers:
        if (now.status, trigger) in TRANSITIONS:
            now = order(after(now, trigger))
        else:
            with pytest.raises(ImpossibleTransition) as impossible:
                after(now, trigger)
            assert (impossible.value.status, impossible.value.trigger) == (now.status, trigger)
    assert now.open != (now.status in FINAL)


def test_an_impossible_transition_says_what_and_which():
    with pytest.raises(ImpossibleTransition, match=r"order R\.0 is expired and cannot claim"):
        after(order(Status.EXPIRED), Trigger.CLAIM)


@pytest.mark.parametrize(
    ("now", "working"),
    [
        pytest.param(order(), 100, id="all of it"),
        pytest.param(order(quantity=-100), -100, id="a sale's is negative"),
        pytest.param(order(filled=D(30)), 70, id="less what was filled"),
        pytest.param(order(Status.UNKNOWN), 100, id="in doubt, at full size"),
        pytest.param(order(Status.SENDING), 100, id="on its way, at full size"),
        pytest.param(order(Status.PENDING_CANCEL), 100, id="asked back, but not agreed"),
        pytest.param(order(Status.CANCELLED, filled=D(30), reported=D(30)), 0, id="cancelled"),
        pytest.param(
            order(Status.CANCELLED, filled=D(30), reported=D(50)), 20,
            id="cancelled, executions still on their way",
        ),
        pytest.param(order(Status.FILLED, filled=D(100), reported=D(100)), 0, id="filled"),
        pytest.param(order(Status.FILLED, filled=D(110), reported=D(110)), 0, id="overfilled"),
        pytest.param(order(Status.EXPIRED), 0, id="never sent"),
    ],
)  # fmt: skip
def test_what_may_still_trade(now, working):
    assert now.working == working


def test_the_average_price_is_of_what_was_executed():
    assert order().average_price is None
    assert order(filled=D(30), value=D(1530)).average_price == 51


def test_a_reference_is_made_of_the_key_the_same_for_ever():
    rid = request_id("dag|run|task|-1|rebalance")

    assert rid == request_id("dag|run|task|-1|rebalance") == "LH65YNCHROZSBHS2UBFSNMLF"
    assert (len(rid), rid.isalnum(), rid.isupper()) == (24, True, True)
    assert order_id(rid, 0) == f"{rid}.0"
    assert len(order().order_ref) < 40
    assert order().order_ref == "TM1.R.0"
