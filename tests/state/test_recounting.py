"""Explanations with all values: guards that passed, bands, the calendar, runs, any record."""

from datetime import date
from decimal import Decimal as D

import pytest
from msgspec.structs import replace

from control.commands.explain import page
from control.protocol import Explain
from control.render import Ink
from state import weighing
from state.chain import append
from state.command import Rebalance, SubmitOrder
from state.event import (
    EvolutionEnded,
    OrderDenied,
    OrderSubmitted,
    RequestDenied,
    Started,
)
from state.evolved import Criterion, Verdict
from state.history import recorded
from state.journal import GENESIS, connect
from state.moment import Moment
from state.reasons import Reason
from state.record import Batch
from state.recounting import calendared, recounted
from state.risk import GUARDS
from state.weighing import Almanac
from tests.desk import desk
from tests.given import CLOSE, MOMENT, MONDAY, TUESDAY, WALL, bars, start

ALL = [code.value for code, _ in GUARDS]


def by_code(gate):
    return {one["code"]: (one["value"], one["limit"]) for one in gate["weighed"]}


async def test_an_order_says_what_every_guard_measured_against_which_limit(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        await one.say(SubmitOrder("buy", "KO", D(100), limit_price=D("50.10")), key="first")
        await one.say(SubmitOrder("buy", "PG", D(10)), key="second")
        await one.close(51, 100)
        first, second = one.events(OrderSubmitted)
        told = [(await one.say(Explain(o.order_id))).data for o in (first, second)]

    (gate,), (later,) = told[0]["gate"], told[1]["gate"]
    assert [w["code"] for w in gate["weighed"]] == ALL == list(gate["asked"])
    values = by_code(gate)
    assert values["ORDER_NOTIONAL"] == ("5010", "1000000")
    assert values["DAY_TURNOVER"] == ("0.0500", "2.0")
    assert values["PRICE_COLLAR"][0] == "0.0020"
    assert values["DAY_ORDERS"][0] == "1"
    assert values["STALE_DATA"][0] == "0 bars"
    assert values["NO_SESSION"][0] == "2025-03-04"
    assert by_code(later)["DAY_ORDERS"][0] == "2", "the order before it counts"
    assert by_code(later)["INSUFFICIENT_CASH"] == ("93990", "0")


async def test_the_values_are_those_of_then_after_all_that_came_since(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        await one.say(SubmitOrder("buy", "KO", D(100)), key="first")
        (submitted,) = one.events(OrderSubmitted)
        then = (await one.say(Explain(submitted.order_id))).data["gate"]
        for price in (51, 52, 53):
            await one.close(price, 100)
            await one.say(SubmitOrder("buy", "KO", D(price)), key=f"o{price}")
        since = (await one.say(Explain(submitted.order_id))).data["gate"]
    assert then == since
    assert then[0]["weighed"]


async def test_a_denied_order_says_what_the_guards_before_measured(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        await one.say(SubmitOrder("buy", "KO", D(1900)), key="big")
        (denied,) = one.events(OrderDenied)
        told = (await one.say(Explain(denied.order_id))).data
    (gate,) = told["gate"]
    values = by_code(gate)
    assert denied.denial.code not in values
    assert values["ORDER_QUANTITY"][0] == "1900"
    assert set(values) <= set(gate["asked"])
    assert "ORDER_NOTIONAL" not in values, "its limit price is in no record"


async def test_no_value_is_told_where_the_gate_would_say_another_thing_now(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        await one.say(SubmitOrder("buy", "KO", D(100)), key="first")
        (event,) = one.events(OrderSubmitted)
        seq = next(
            r.seq for r in await one.store.read(recorded) if isinstance(r.event, OrderSubmitted)
        )
        (before,) = await one.store.read(lambda db: list(weighing.states(db, [seq - 1])))
    known = Almanac(lambda at: MOMENT, lambda day: True)
    halted = replace(before, reconciled=False)
    assert weighing.weights_of(before, event, "order", known)
    assert weighing.weights_of(halted, event, "order", known) == ()


async def test_what_is_too_far_back_has_no_values(tmp_path, monkeypatch):
    monkeypatch.setattr(weighing, "MOST", 2)
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        await one.say(SubmitOrder("buy", "KO", D(100)), key="first")
        told = (await one.say(Explain("first"))).data
    assert [gate["weighed"] for gate in told["gate"]] == [()]
    assert told["gate"][0]["passed"]


async def test_a_plan_and_a_day_say_how_far_each_holding_was_and_from_which_band(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        await one.say(Rebalance(), key="r")
        await one.close(50, 100)
        await one.say(Rebalance(), key="again")
        await one.close(50, 100)
        first, again = [(await one.say(Explain(key))).data for key in ("r", "again")]
        traded = (await one.say(Explain("2025-03-04"))).data
        still = (await one.say(Explain("2025-03-05"))).data

    assert [(a["symbol"], a["weight"], a["target"]) for a in first["apart"]] == [
        ("KO", 0.0, 0.5),
        ("PG", 0.0, 0.25),
    ]
    assert all(a["said"].startswith("traded: ") for a in first["apart"])
    assert {a["said"] for a in again["apart"]} == {"within the band"}
    assert all(a["distance"] < a["band"] for a in again["apart"])
    assert traded["apart"] == first["apart"]
    assert [why["code"] for why in still["why"]] == ["AT_TARGET"]
    assert still["apart"] == again["apart"]


def almanac(*, session=True, due=None):
    return Almanac(lambda at: Moment(at, WALL, MONDAY, TUESDAY), lambda day: session, due, "1mo")


@pytest.mark.parametrize(
    ("due", "code"),
    [
        (None, "NOT_BY_THE_CLOCK"),
        (lambda session: True, "DUE_NOT_ASKED"),
        (lambda session: False, "NOT_DUE"),
    ],
)
def test_a_day_that_nobody_asked_for_says_whether_a_rebalance_was_due(due, code):
    nobody = (Reason(0, None, "NOBODY_ASKED", ""),)
    (said,) = calendared(TUESDAY, bars(50, 100), nobody, almanac(due=due))
    assert said.code == code
    assert not list(calendared(TUESDAY, bars(50, 100), (), almanac(due=due)))


def test_a_day_without_a_session_is_said_to_be_none():
    (said,) = calendared(date(2025, 3, 8), None, (), almanac(session=False))
    assert (said.code, said.value, said.limit) == ("NO_MARKET_DAY", "0", "1")
    assert "Saturday" in said.message


def test_a_run_and_a_denied_request_are_explained(tmp_path):
    test = Criterion("pbo", 0.7, "<=", 0.5, "how often the best in sample is among the worse")
    verdict = Verdict(False, (test,), 0.1, 0.7, 20, "equal", {}, ("pbo",))
    ended = EvolutionEnded(
        run_id="RUN", status="finished", reason="", evaluations=20, seconds=1.0, front=(),
        candidate_id="G", candidate="{}", verdict=verdict, at=CLOSE,
    )  # fmt: skip
    events = (
        Started(start(), CLOSE),
        ended,
        RequestDenied("eve", 1001, "halt_flatten", "d", "viewer may not", CLOSE, 3),
    )
    db = connect(tmp_path / "journal.db")
    append(db, Batch(events, WALL), GENESIS)
    run, denied, begun = recounted(db, "RUN"), recounted(db, "3"), recounted(db, "1")
    nothing = [recounted(db, name) for name in ("4", "0", "no", "²")]
    db.close()

    (why,) = run.why
    assert (run.subject, why.code, why.value, why.limit) == (
        "run",
        "NOT_PROMOTABLE",
        "0.7",
        "<= 0.5",
    )
    (why,) = denied.why
    assert (denied.subject, why.code, why.subject, why.limit) == (
        "record", "NOT_PERMITTED", "eve", "viewer may not",
    )  # fmt: skip
    assert begun.steps[0].what == "started"
    assert nothing == [None] * 4


async def test_the_page_shows_each_guards_value_and_each_band(tmp_path):
    async with desk(tmp_path) as one:
        await one.close(50, 100)
        await one.say(Rebalance(), key="r")
        order_id = one.events(OrderSubmitted)[0].order_id
        shown = [page(await one.say(Explain(name)), Ink()) for name in (order_id, "r")]
    rows = rows_of(shown[0])
    assert ["ORDER_NOTIONAL", "50000", "1000000"] in rows
    assert all(any(row[:1] == [code] for row in rows) for code in ALL)
    weights = [row[:7] for row in rows_of(shown[1]) if "traded:" in row]
    assert [row[:5] for row in weights] == [
        ["KO", "0.00", "%", "50.00", "%"],
        ["PG", "0.00", "%", "25.00", "%"],
    ]


def rows_of(shown):
    """Return the words of each line."""
    return [line.split() for line in shown.splitlines()]
