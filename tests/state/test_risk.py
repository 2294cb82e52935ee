"""The gate: each guard at its bound, just inside and just outside; and what no guard may let by."""

import ast
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal as D
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from state import risk
from state.apply import apply, replay
from state.book import book_of
from state.case import Proposed
from state.command import Claim, RecordFill, RecordStatus, ReportKind, SubmitOrder
from state.denial import Code
from state.event import (
    CancelRequested,
    Difference,
    Halted,
    OrderAccepted,
    OrderClaimed,
    OrderFilled,
    OrderLost,
    OrderSubmitted,
    Reconciled,
    ReconcileStarted,
)
from state.instrument import Instrument
from state.quote import Mark
from state.risk import GUARDS, check
from state.settings import Limits
from state.snapshot import Snapshot, exposures
from tests.given import CLOSE, MOMENT, MONDAY, TUESDAY, asked, funded, start, told

ROOT = Path(__file__).parents[2]
WIDE = Limits(
    max_position_weight=100,
    max_gross=100,
    max_net=100,
    max_order_notional=D(10**12),
    max_order_quantity=D(10**12),
    price_collar=1.0,
    max_day_turnover=100,
    max_day_loss=1.0,
    max_drawdown=1.0,
    margin=True,
    allow_short=True,
)
ACCOUNT = (Instrument("KO"), Instrument("PG"), Instrument("BAE", currency="GBP"))


def book(*events, held: Mapping[str, int] | None = None, cash=100_000, cost_bps=0.0, **limits):
    """Return an account with 100,000 in cash, KO at 50 and PG at 100, and one limit narrowed."""
    run = start(replace(WIDE, **limits), instruments=ACCOUNT, cost_bps=cost_bps, restricted=("PG",))
    now = replace(funded(cash=cash, run=run), invested=True)
    for symbol, quantity in (held or {}).items():
        price = now.marks[symbol].price
        event = OrderFilled(symbol, "", symbol, D(quantity), price, D(0), CLOSE, CLOSE)
        now = apply(now, event)
    return replay(now, events)


def order(quantity, limit=None, symbol="KO", source="manual", order_id="R2.0"):
    price = None if limit is None else D(str(limit))
    return Proposed(order_id, symbol, D(str(quantity)), price, source)


def open_order(quantity, limit=None, symbol="KO", order_id="R1.0", price=50, status="live"):
    """Return the events of an order of another command that is pending, live, sending, …"""
    yield OrderSubmitted(
        order_id, order_id.partition(".")[0], symbol, D(quantity), D(price), limit, "manual",
        TUESDAY, CLOSE,
    )  # fmt: skip
    if status == "pending":
        return
    yield OrderClaimed(order_id, 1, CLOSE)
    if status == "unknown":
        yield OrderLost(order_id, "the connection went", CLOSE)
    if status in {"live", "pending_cancel"}:
        yield OrderAccepted(order_id, "b1", D(0), CLOSE)
    if status == "pending_cancel":
        yield CancelRequested(order_id, "ann", CLOSE)


def halt(scope):
    return Halted(scope, "drill", Code.TRADING_HALTED, "ann", CLOSE)


def sent(count, seconds_ago):
    return (CLOSE - timedelta(seconds=seconds_ago),) * count


def day(now, **fields):
    return replace(now, day=replace(now.day, **fields))


def marked(now, price, bars=1):
    """Return `now` after KO's price moved to `price`."""
    return replace(now, marks={**now.marks, "KO": Mark(D(str(price)), CLOSE, MONDAY, bars)})


def code(now, proposed, moment=MOMENT):
    denial = check(now, proposed, moment)
    return denial and denial.code.value


BUY, SELL = order(10), order(-10)
FLATTEN = order(-10, source="flatten")
LONG = {"KO": 100}

# One block per guard, in the order they are asked: what is refused, and what just passes.
OK, NO = "passes", "is refused"
ROWS = {
    "TRADING_HALTED": [
        ("an account's halt", NO, BUY, book(halt("account"))),
        ("the symbol's halt", NO, BUY, book(halt("symbol:KO"))),
        ("another symbol's halt", OK, BUY, book(halt("symbol:PG"))),
        ("a sale under a halt", NO, SELL, book(halt("account"), held=LONG)),
        ("flattening", OK, FLATTEN, book(halt("account"), held=LONG)),
        ("flattening too much", NO, FLATTEN, book(halt("account"), held={"KO": 9})),
    ],
    "RECONCILE_PENDING": [
        ("before the books were compared", NO, BUY, book(ReconcileStarted(CLOSE))),
        (
            "a difference, even to flatten", NO, FLATTEN,
            book(Reconciled((Difference("KO", D(100), D(0)),), CLOSE), held=LONG),
        ),
    ],
    "UNKNOWN_SYMBOL": [
        ("no instrument", NO, order(10, symbol="KOO"), book()),
    ],
    "RESTRICTED_SYMBOL": [
        ("buying a restricted symbol", NO, order(10, symbol="PG"), book()),
        ("by the limits", NO, BUY, book(restricted=("KO",))),
        ("reducing it", OK, SELL, book(held=LONG, restricted=("KO",))),
    ],
    "CURRENCY_MISMATCH": [
        ("an instrument in pounds", NO, order(10, symbol="BAE"), book()),
    ],
    "DUPLICATE_ORDER": [
        ("a known id", NO, order(10, order_id="R1.0"), book(*open_order(3))),
        ("the same again", NO, BUY, book(*open_order(10))),
        ("another size", OK, BUY, book(*open_order(9))),
        ("the other side", OK, SELL, book(*open_order(10), held=LONG)),
        ("one's own second leg", OK, order(10, order_id="R1.1"), book(*open_order(10))),
    ],
    "SYMBOL_FROZEN": [
        ("an order in doubt", NO, BUY, book(*open_order(9, status="unknown"))),
        ("an order on its way", OK, BUY, book(*open_order(9, status="sending"))),
        ("another symbol's doubt", OK, BUY, book(*open_order(9, symbol="PG", status="unknown"))),
    ],
    "INVALID_QUANTITY": [
        ("zero", NO, order(0), book()),
        ("not a number", NO, order("NaN"), book()),
        ("infinite", NO, order("Infinity"), book()),
        ("beyond the journal", NO, order(10**13), book()),
        ("half a lot", NO, order("10.5"), book()),
        ("the last half of a holding", OK, order("-10.5"), book(held={"KO": D("10.5")})),
        ("half of a holding", NO, order("-9.5"), book(held={"KO": D("10.5")})),
    ],
    "INVALID_PRICE": [
        ("no number", NO, order(10, "NaN"), book()),
        ("infinite", NO, order(10, "Infinity"), book()),
        ("zero", NO, order(10, 0), book()),
        ("negative", NO, order(10, -1), book()),
        ("between ticks", NO, order(10, "50.005"), book()),
        ("on a tick", OK, order(10, "50.01"), book()),
    ],
    "NO_PRICE": [
        ("never priced", NO, BUY, replace(book(), marks={})),
        (
            "opening beside an unpriced holding", NO, BUY,
            replace(book(held={"PG": 5}), marks={"KO": Mark(D(50), CLOSE, MONDAY, 1)}),
        ),
        (
            "reducing beside one", OK, SELL,
            replace(book(held={"PG": 5, "KO": 10}), marks={"KO": Mark(D(50), CLOSE, MONDAY, 1)}),
        ),
    ],
    "STALE_DATA": [
        ("one bar missed", NO, BUY, replace(book(), bars=2)),
        ("reducing", OK, SELL, replace(book(held=LONG), bars=2)),
        ("one of two bars missed", OK, BUY, replace(book(stale_after="2 bars"), bars=2)),
        ("two of two bars missed", NO, BUY, replace(book(stale_after="2 bars"), bars=3)),
    ],
    "ORDER_RATE": [
        ("the last one", OK, BUY, replace(book(max_orders_per_minute=3), recent=sent(2, 59))),
        ("one too many", NO, BUY, replace(book(max_orders_per_minute=3), recent=sent(3, 59))),
        ("a minute later", OK, BUY, replace(book(max_orders_per_minute=3), recent=sent(3, 60))),
        (
            "flattening", OK, FLATTEN,
            replace(book(held=LONG, max_orders_per_minute=0), recent=sent(3, 1)),
        ),
    ],
    "DAY_ORDERS": [
        ("the last one", OK, BUY, day(book(max_day_orders=3), orders=2)),
        ("one too many", NO, BUY, day(book(max_day_orders=3), orders=3)),
        ("flattening", OK, FLATTEN, day(book(held=LONG, max_day_orders=3), orders=3)),
    ],
    "DAY_TURNOVER": [
        ("all of it", OK, BUY, day(book(max_day_turnover=0.5), turnover=D(49_500))),
        ("a cent more", NO, BUY, day(book(max_day_turnover=0.5), turnover=D("49500.01"))),
        ("a sale counts", NO, SELL, day(book(max_day_turnover=0.5), turnover=D("49500.01"))),
        ("flattening", OK, FLATTEN, day(book(held=LONG, max_day_turnover=0.5), turnover=D(50_000))),
        (
            "the first investment: one book on top", OK, BUY,
            day(book(max_day_turnover=0.5, max_gross=1.0), turnover=D(149_500), exempt=True),
        ),
        (
            "and no more than that", NO, BUY,
            day(book(max_day_turnover=0.5, max_gross=1.0), turnover=D("149500.01"), exempt=True),
        ),
        ("a day begun with nothing", NO, BUY, day(book(), start_equity=D(0))),
    ],
    "DAY_LOSS": [
        ("just less", OK, BUY, day(book(max_day_loss=0.05), start_equity=D("105263.15"))),
        ("all of it", NO, BUY, day(book(max_day_loss=0.05), start_equity=D("105263.16"))),
        ("reducing", OK, SELL, day(book(max_day_loss=0.05, held=LONG), start_equity=D(200_000))),
        ("a gain, no loss allowed", OK, BUY, day(book(max_day_loss=0), start_equity=D(99_000))),
        ("nothing lost, none allowed", OK, BUY, book(max_day_loss=0)),
        (
            "a cent lost, none allowed", NO, BUY,
            day(book(max_day_loss=0), start_equity=D("100000.01")),
        ),
        ("at the prices of now", NO, BUY, marked(book(held={"KO": 1000}, max_day_loss=0.05), 45)),
    ],
    "DRAWDOWN": [
        ("just less", OK, BUY, replace(book(max_drawdown=0.25), high_water=D("133333.33"))),
        ("all of it", NO, BUY, replace(book(max_drawdown=0.25), high_water=D("133333.34"))),
        ("reducing", OK, SELL, replace(book(max_drawdown=0.25, held=LONG), high_water=D(10**6))),
    ],
    "ORDER_QUANTITY": [
        ("at the limit", OK, BUY, book(max_order_quantity=D(10))),
        ("one more", NO, order(11), book(max_order_quantity=D(10))),
        ("a sale", NO, order(-11), book(max_order_quantity=D(10))),
        ("flattening", OK, FLATTEN, book(held=LONG, max_order_quantity=D(9))),
    ],
    "ORDER_NOTIONAL": [
        ("at the limit", OK, BUY, book(max_order_notional=D(500))),
        ("one share more", NO, order(11), book(max_order_notional=D(500))),
        ("at its limit price", NO, order(10, "50.01"), book(max_order_notional=D(500))),
        ("at the last price", OK, order(10, "49.99"), book(max_order_notional=D(500))),
        ("flattening", OK, FLATTEN, book(held=LONG, max_order_notional=D(1))),
    ],
    "PRICE_COLLAR": [
        ("at the collar", OK, order(10, "52.50"), book(price_collar=0.05)),
        ("a tick above", NO, order(10, "52.51"), book(price_collar=0.05)),
        ("a tick below", NO, order(10, "47.49"), book(price_collar=0.05)),
        ("reducing: twice as wide", OK, order(-10, 45), book(held=LONG, price_collar=0.05)),
        ("and no more", NO, order(-10, "44.99"), book(held=LONG, price_collar=0.05)),
    ],
    "SHORT_SALE": [
        ("all that is held", OK, order(-100), book(held=LONG, allow_short=False)),
        ("one more", NO, order(-101), book(held=LONG, allow_short=False)),
        (
            "what is on sale already", NO, SELL,
            book(*open_order(-91, status="sending"), held=LONG, allow_short=False),
        ),
        ("covering", OK, BUY, book(held={"KO": -100}, allow_short=False)),
    ],
    "POSITION_WEIGHT": [
        ("at the limit", OK, order(400), book(max_position_weight=0.2)),
        ("one share more", NO, order(401), book(max_position_weight=0.2)),
        ("short", NO, order(-401), book(max_position_weight=0.2)),
        ("with what is held", NO, BUY, book(held={"KO": 391}, max_position_weight=0.2)),
        (
            "with what is on its way", NO, BUY,
            book(*open_order(391, status="sending"), max_position_weight=0.2),
        ),
        (
            "a sale on its way is no room", NO, BUY,
            book(*open_order(-100), held={"KO": 400}, max_position_weight=0.2),
        ),
        ("reducing", OK, SELL, book(held={"KO": 600}, max_position_weight=0.2)),
        ("costs count", NO, order(400), book(cost_bps=3.0, max_position_weight=0.2)),
        (
            "a limit above the market costs equity", NO, order(400, "50.01"),
            book(max_position_weight=0.2),
        ),
        ("costs take equity", NO, BUY, day(book(cash=1, cost_bps=9999.0), start_equity=D(99))),
    ],
    "GROSS_EXPOSURE": [
        ("at the limit", OK, order(1000), book(held={"PG": 500}, max_gross=1.0)),
        ("one share more", NO, order(1001), book(held={"PG": 500}, max_gross=1.0)),
        ("a short counts", NO, order(1001), book(held={"PG": -500}, max_gross=1.0)),
        ("reducing", OK, SELL, book(held={"KO": 4000}, max_gross=1.0)),
        (
            "a sale on record makes room", OK, order(200),
            book(*open_order(-100, symbol="PG", price=100), held={"PG": 1000}, max_gross=1.0),
        ),
        (
            "but no more than it sells", NO, order(201),
            book(*open_order(-100, symbol="PG", price=100), held={"PG": 1000}, max_gross=1.0),
        ),
        *(
            (
                f"a sale that is {doubt} makes none", NO, order(200),
                book(
                    *open_order(-100, symbol="PG", price=100, status=doubt),
                    held={"PG": 1000}, max_gross=1.0,
                ),
            )
            for doubt in ("sending", "unknown", "pending_cancel")
        ),
    ],
    "NET_EXPOSURE": [
        ("at the limit", OK, order(2000), book(held={"PG": -500}, max_net=0.5)),
        ("one share more", NO, order(2001), book(held={"PG": -500}, max_net=0.5)),
        ("short at the limit", OK, order(-1000), book(max_net=0.5)),
        ("short, one more", NO, order(-1001), book(max_net=0.5)),
        ("reducing", OK, SELL, book(held={"KO": 4000}, max_net=0.5)),
    ],
    "INSUFFICIENT_CASH": [
        ("all of it", OK, order(2000), book(margin=False)),
        ("one share more", NO, order(2001), book(margin=False)),
        ("at a limit above", NO, order(2000, "50.01"), book(margin=False)),
        ("at a limit below", OK, order(2500, 40), book(margin=False)),
        ("costs count", NO, order(2000), book(margin=False, cost_bps=3.0)),
        ("on margin", OK, order(4000), book()),
        ("open buys count", NO, order(1000), book(*open_order(1001), margin=False)),
        ("sells are no buys", OK, SELL, book(held={"KO": 3000}, margin=False)),
        (
            "the proceeds of a sale on record", OK, order(200),
            book(*open_order(-100, symbol="PG", price=100), held={"PG": 1000}, margin=False),
        ),
        (
            "and no more", NO, order(201),
            book(*open_order(-100, symbol="PG", price=100), held={"PG": 1000}, margin=False),
        ),
        (
            "a sale in doubt brings nothing", NO, BUY,
            book(*open_order(-100, status="sending"), held={"KO": 1000}, cash=50_499, margin=False),
        ),
        (
            "a sale above the market brings the market's price", NO, order(21),
            book(*open_order(-20, limit=D(60)), held={"KO": 1000}, cash=50_000, margin=False),
        ),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("guard", "verdict", "proposed", "now"),
    [
        pytest.param(guard, verdict, proposed, now, id=f"{guard}: {what}")
        for guard, rows in ROWS.items()
        for what, verdict, proposed, now in rows
    ],
)
def test_guard(guard, verdict, proposed, now):
    assert code(now, proposed) == (guard if verdict is NO else None)


@pytest.mark.parametrize(
    ("moment", "refused", "why"),
    [
        (MOMENT, False, ""),
        (replace(MOMENT, target=None), True, "closed"),
        (replace(MOMENT, target=None, feed_ended=True), True, "the feed has ended"),
    ],
)
def test_an_order_needs_a_session(moment, refused, why):
    denial = check(book(), BUY, moment)

    assert (denial is not None and denial.code is Code.NO_SESSION) == refused
    assert why in str(denial or "")


@pytest.mark.parametrize(("seconds", "refused"), [(899, False), (900, True), (-5, False)])
def test_data_may_be_aged_on_the_market_clock(seconds, refused):
    later = replace(MOMENT, at=CLOSE + timedelta(seconds=seconds))

    assert code(book(stale_after="15m"), BUY, later) == ("STALE_DATA" if refused else None)


def test_a_price_is_as_old_as_the_market_was_open_since():
    def shut(start, end):
        return timedelta()

    later = replace(MOMENT, at=CLOSE + timedelta(days=3), open_time=shut)

    assert code(book(stale_after="15m"), BUY, later) is None


@pytest.mark.parametrize(("minutes", "refused"), [(389, False), (390, True)])
def test_where_a_session_has_one_bar_no_price_is_stale_before_the_next(minutes, refused):
    later = replace(MOMENT, at=CLOSE + timedelta(minutes=minutes), bar=timedelta(minutes=390))

    assert code(book(stale_after="15m"), BUY, later) == ("STALE_DATA" if refused else None)


def test_every_code_of_the_gate_has_its_guard_in_the_published_order():
    codes = list(Code)
    gate = codes[: codes.index(Code.GUARD_FAILED)]

    assert [asked for asked, _ in GUARDS] == gate
    assert ROWS.keys() | {"NO_SESSION"} == set(gate)


def test_the_first_guard_to_refuse_is_the_one_that_answers():
    assert code(book(halt("account"), ReconcileStarted(CLOSE)), order(0, symbol="KOO")) == (
        "TRADING_HALTED"
    )


@pytest.mark.parametrize("guard", ROWS)
def test_a_denial_says_what_which_value_which_bound_and_what_to_do(guard):
    proposed, now = next(row[2:] for row in ROWS[guard] if row[1] is NO)
    denial = check(now, proposed, MOMENT)

    assert denial is not None
    assert denial.subject == proposed.symbol
    assert all((denial.value, denial.limit, denial.message, denial.hint))


@pytest.mark.parametrize("broken", [code for code, _ in GUARDS])
def test_a_guard_that_raises_denies(broken, monkeypatch):
    def raising(case):
        raise ZeroDivisionError("equity is zero")

    table = tuple((c, raising if c is broken else guard) for c, guard in GUARDS)
    monkeypatch.setattr(risk, "GUARDS", table)

    denial = check(book(), BUY, MOMENT)

    assert denial is not None
    assert (denial.code, denial.value) == (Code.GUARD_FAILED, broken)
    assert "ZeroDivisionError: equity is zero" in denial.message


@pytest.mark.parametrize(
    ("now", "asked"),
    [
        (Snapshot(reconciled=True, instruments={"KO": Instrument("KO")}), Code.RESTRICTED_SYMBOL),
        (replace(book(), day=None), Code.DAY_ORDERS),
        (marked(book(held={"KO": 10**9}), 10**9), "book"),
    ],
    ids=["nothing started", "no day begun", "beyond what money can hold"],
)
def test_what_can_not_be_judged_is_denied(now, asked):
    denial = check(now, BUY, MOMENT)

    assert denial is not None
    assert (denial.code, denial.value) == (Code.GUARD_FAILED, str(asked))


def calls(ending):
    """Return (file, function) of every call in the product whose name ends so."""
    return {
        (path.relative_to(ROOT).as_posix(), function.name)
        for folder in ("state", "strategies", "control", "daemon")
        for path in (ROOT / folder).rglob("*.py")
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for call in ast.walk(function)
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith(ending)
    }


def test_there_is_no_second_path_to_an_order():
    """One function makes orders, and asks the gate; one place sends them to a broker."""
    assert calls("OrderSubmitted") == {("state/trading.py", "submit")}
    assert ("state/trading.py", "submit") in calls("check")
    assert {file for file, _ in calls("broker.place")} == {"daemon/sender.py"}


LIMIT_SETS = st.builds(
    Limits,
    max_position_weight=st.sampled_from([0.3, 2.0]),
    max_gross=st.sampled_from([0.5, 2.0]),
    max_net=st.sampled_from([0.4, 2.0]),
    margin=st.booleans(),
    allow_short=st.booleans(),
    max_order_notional=st.just(D(30_000)),
    price_collar=st.just(0.1),
    max_orders_per_minute=st.just(1000),
    max_day_orders=st.just(80),
    max_day_turnover=st.sampled_from([0.4, 5.0]),
)
PRICES = {"KO": D(50), "PG": D(100)}
BPS = D(100)
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["buy", "sell"]),
            st.sampled_from(["KO", "PG"]),
            st.integers(5, 9),
            st.none() | st.sampled_from([D("-0.1"), D("0.02"), D("0.1")]),
        ),
        st.tuples(st.just("fill"), st.integers(0, 30), st.sampled_from([D("0.3"), D(1)])),
        st.tuples(st.just("fill all")),
        st.tuples(st.just(ReportKind.LOST), st.integers(0, 30)),
        st.tuples(st.sampled_from([ReportKind.CANCELLED, ReportKind.REJECTED]), st.integers(0, 30)),
    ),
    min_size=8,
    max_size=16,
)


class Story:
    """An account that asks, and a market that fills, cancels and loses as it likes.

    Executions are at the limit, or at the last price, and cost a fee. `missing` is what sales on
    record have not brought yet, or never will; `given` what closing a position may have cost, and
    `spent` what all orders may have: paying for one makes every other holding weigh a little more,
    as a change of price would, and no gate can tell a holding from before to be smaller.
    """

    def __init__(self, limits):
        self.now = funded(run=start(limits, cost_bps=float(BPS)))
        self.count, self.given, self.spent, self.failed = 0, D(0), D(0), D(0)
        self.traded: dict[str, D] = {}

    @property
    def missing(self):
        return self.failed + sum(
            -o.working * PRICES[o.symbol] for o in self.now.orders.values() if o.working < 0
        )

    def tell(self, report):
        self.now = told(self.now, report).now

    def ask(self, side, symbol, power, offset):
        """Ask for as much as the gate lets through, in ever smaller orders."""
        for smaller in range(power, -1, -1):
            self.ask_once(side, symbol, 2**smaller, offset)

    def ask_once(self, side, symbol, quantity, offset):
        self.count += 1
        price = PRICES[symbol]
        limit = None if offset is None else (price * (1 + offset)).quantize(D("0.01"))
        signed = quantity if side == "buy" else -quantity
        closes = book_of(self.now).stake(symbol).reduces(D(signed))
        was = self.now.orders
        command = SubmitOrder(side, symbol, D(quantity), limit)
        self.now = asked(self.now, command, key=f"k{self.count}").now
        new = self.now.orders.keys() - was.keys()
        self.traded |= dict.fromkeys(new, quantity * price)
        if not new:
            return
        worst = max(limit or price, price) * BPS / 10_000
        spent = quantity * (worst + abs((limit or price) - price))
        self.spent += spent
        if closes:
            self.given += spent

    def meet(self, what, index=0, part=D(1)):
        if what == "fill all":
            while self.now.open_orders:
                self.meet("fill")
        orders = self.now.open_orders
        if not orders:
            return
        order = orders[index % len(orders)]
        self.tell(Claim((order.order_id,)))
        if order.order_id not in self.now.orders:  # what it was to be paid with is gone
            self.traded[order.order_id] -= abs(order.working) * PRICES[order.symbol]
            return
        order = self.now.orders[order.order_id]
        left = abs(order.quantity) - order.filled
        if what == "fill":
            size = max((left * part).to_integral_value(), D(1)).copy_sign(order.quantity)
            price = order.limit_price or PRICES[order.symbol]
            fee = abs(size) * price * BPS / 10_000
            self.count += 1
            self.tell(
                RecordFill(f"x{self.count}", order.order_id, order.symbol, size, price, fee, CLOSE)
            )
            return
        self.tell(RecordStatus(order.order_id, what, filled=order.filled))
        if what is ReportKind.LOST:
            return
        self.traded[order.order_id] -= left * PRICES[order.symbol]
        if order.quantity < 0:
            self.failed += left * PRICES[order.symbol]

    def holds(self):
        now, limits = self.now, self.now.start.limits
        most, (gross, net) = now.equity + self.given + CENT, exposures(now)
        for symbol, price in PRICES.items():
            worth = abs(now.ledger.held(symbol)) * price
            room = now.equity + self.spent + CENT
            assert worth <= D(str(limits.max_position_weight)) * room
        assert sum(self.traded.values()) <= D(str(limits.max_day_turnover)) * 100_000
        assert len(self.traded) <= limits.max_day_orders
        assert all(
            abs(o.quantity * o.price) <= limits.max_order_notional for o in now.orders.values()
        )
        if limits.allow_short:
            return
        assert all(now.ledger.held(symbol) >= 0 for symbol in PRICES)
        assert gross <= D(str(limits.max_gross)) * most + self.missing
        assert net <= D(str(limits.max_net)) * most + self.missing
        if not limits.margin:
            assert now.ledger.cash >= -self.missing - self.given - CENT


CENT = D("0.01")


@example(  # an order in doubt is no room for another
    replace(WIDE, max_gross=0.5, max_orders_per_minute=1000),
    [("buy", "KO", 9, None), (ReportKind.LOST, 0), ("buy", "PG", 9, None), ("fill all",)],
)
@settings(max_examples=200)
@given(limits=LIMIT_SETS, steps=STEPS)
def test_no_accepted_sequence_of_orders_ever_breaks_a_limit(limits, steps):
    """Whatever fills, whatever fails: a limit only gives by what a sale on record didn't bring."""
    story = Story(limits)
    for what, *more in steps:
        if what in {"buy", "sell"}:
            story.ask(what, *more)
        else:
            story.meet(what, *more)
        story.holds()


@given(limits=LIMIT_SETS, steps=STEPS, cut=st.integers(0, 20))
def test_an_earlier_book_changes_no_answer(limits, steps, cut):
    """Counting only what was added since gives the very book that counting all of it gives."""
    story, before = Story(limits), None
    for n, (what, *more) in enumerate(steps):
        if n == cut:
            before = book_of(story.now)
        if what in {"buy", "sell"}:
            story.ask(what, *more)
        else:
            story.meet(what, *more)

    assert book_of(story.now, before) == book_of(story.now)
