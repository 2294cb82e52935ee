"""What is always true of the paper account, whatever is sent to it and whatever prices do."""

from datetime import timedelta
from decimal import Decimal as D

from hypothesis import given
from hypothesis import strategies as st

from daemon.brokers.execution_model import terms
from daemon.brokers.paper_account import (
    Account,
    Cancellation,
    Known,
    Movement,
    PaperOrder,
    Placement,
)
from daemon.brokers.paper_venue import Rules, carried_out, closed, quoted
from state.command import RecordFill
from state.instrument import Instrument
from state.ledger import Ledger, moved, post
from state.quote import Close, Quote
from state.settings import Paper
from tests.daemon.brokers.paper_market import CALENDAR, DAYS, bar, evening, morning, order

SYMBOLS = ["KO", "PG"]
WORLD = Paper(
    commission_bps=1.5,
    commission_min=D("0.35"),
    slippage_bps=3,
    spread_bps=7,
    partial_fill_rate=0.4,
    reject_rate=0.2,
)

prices = st.decimals("1", "900", places=3)
bars = prices | st.tuples(prices, prices, prices, prices).map(
    lambda p: (p[0], max(p), min(p), p[1])
)
orders = st.tuples(
    st.just("order"),
    st.integers(-300, 300),
    st.sampled_from(SYMBOLS),
    st.none() | prices,
    st.sampled_from([timedelta(0), timedelta(hours=18)]),  # before its session, or during it
)
actions = st.one_of(
    orders,
    orders,
    st.tuples(st.just("cancel"), st.integers(1, 12)),
    st.tuples(st.just("again"), st.integers(1, 12)),
    st.tuples(st.just("move"), st.integers(1, 4), st.decimals(-5_000, 20_000, places=2)),
    st.tuples(st.just("close"), st.dictionaries(st.sampled_from(SYMBOLS), bars)),
    st.tuples(st.just("noon"), st.dictionaries(st.sampled_from(SYMBOLS), bars)),
    st.tuples(st.just("quote"), st.sampled_from(SYMBOLS), prices),
)
scripts = st.lists(actions, max_size=40)


class Broker:
    """The venue without a file: its memory of completed orders and movements is two dicts."""

    def __init__(self, **rules):
        self.rules = Rules(terms(WORLD), Instrument, CALENDAR, **rules)
        self.account, self.day, self.oid = Account(cash=D(10_000)), 0, 0
        self.orders: dict[str, PaperOrder] = {}
        self.moves, self.fills, self.reports, self.cash_low = {}, [], [], D(0)

    def take(self, step):
        self.account = step.account
        self.orders |= {o.order_ref: o for o in step.orders}
        self.moves |= {m.ref: m.signed for m in step.moves}
        self.fills += step.executions
        self.reports += step.reports

    def send(self, *messages):
        known = Known(self.orders, frozenset(self.moves))
        self.take(carried_out(self.account, self.rules, messages, known, None))

    def do(self, action):
        match action:
            case ("order", quantity, symbol, limit, later):
                self.oid += 1
                session, before = DAYS[self.day + 1], DAYS[self.day]
                one = order(
                    self.oid, quantity, symbol, session, limit, created=evening(before) + later
                )
                self.send(Placement(one, self.oid))
            case ("cancel", n):
                self.send(Cancellation(f"TM1.R{n}.0"))
            case ("again", n):
                self.send(Placement(order(n, 50, session=DAYS[self.day + 1]), n))
            case ("move", n, signed):
                self.send(Movement(f"m{n}", signed))
            case ("close", shown):
                self.day += self.day < len(DAYS) - 2
                self.show(shown, evening(DAYS[self.day]))
            case ("noon", shown):
                self.show(shown, morning(DAYS[self.day + 1]) + timedelta(hours=1))
            case ("quote", symbol, price):
                at = morning(DAYS[self.day + 1]) + timedelta(minutes=1)
                quote = Quote(symbol, at, price * D("0.999"), price, None)
                self.take(quoted(self.account, self.rules, quote))

    def show(self, shown, at):
        close = Close(at, at.date(), tuple(bar(s, p) for s, p in shown.items()))
        self.take(closed(self.account, self.rules, close))


def after(script, **rules):
    broker = Broker(**rules)
    for action in script:
        broker.do(action)
    return broker


@given(scripts, st.booleans(), st.booleans())
def test_money_is_conserved_to_the_micro(script, margin, allow_short):
    broker = after(script, margin=margin, allow_short=allow_short)
    paid = sum((e.amount + e.fill.fee for e in broker.fills), D(0))
    assert broker.account.cash == 10_000 + sum(broker.moves.values(), D(0)) - paid
    for symbol, held in broker.account.positions.items():
        assert held == sum(e.fill.quantity for e in broker.fills if e.fill.symbol == symbol)


@given(scripts, st.booleans(), st.booleans())
def test_a_ledger_that_books_its_reports_agrees(script, margin, allow_short):
    """Two ways of counting: the broker's own, and the ledger's from what the broker says."""
    broker = after(script, margin=margin, allow_short=allow_short)
    ledger = Ledger(cash=D(10_000))
    for signed in broker.moves.values():
        ledger = moved(ledger, signed, flow=True)
    for fill in (r for r in broker.reports if isinstance(r, RecordFill)):
        ledger = post(ledger, fill.symbol, fill.quantity, fill.price, fill.fee)
    assert ledger.cash == broker.account.cash
    assert {s: p.quantity for s, p in ledger.positions.items()} == broker.account.positions


@given(scripts, st.booleans())
def test_an_order_is_what_its_executions_are_and_never_more_than_was_asked(script, margin):
    broker = after(script, margin=margin)
    for one in broker.orders.values():
        mine = [e for e in broker.fills if e.broker_oid == one.broker_oid]
        assert one.filled == sum(abs(e.fill.quantity) for e in mine)
        assert one.value == sum(abs(e.amount) for e in mine)
        assert one.fees == sum(e.fill.fee for e in mine)
        assert [e.fill.execution_id for e in mine] == [
            f"P{one.broker_oid}.{n}" for n in range(1, one.executions + 1)
        ]
        assert one.filled <= abs(one.quantity)
        assert (one.status == "filled") == (one.filled == abs(one.quantity) != 0)
        assert (one.order_ref in broker.account.open) == (one.status == "open")
        assert all(e.booked_at > one.created_at for e in mine)
    assert len({o.broker_oid for o in broker.orders.values()}) == len(broker.orders)


@given(scripts)
def test_without_margin_no_purchase_overdraws_and_without_shorts_nothing_is_oversold(script):
    broker = Broker()
    for action in script:
        cash = broker.account.cash
        broker.do(action)
        assert all(held >= 0 for held in broker.account.positions.values())
        if action[0] != "move":
            assert broker.account.cash >= min(cash, 0)


@given(scripts)
def test_orders_that_are_asked_to_do_nothing_leave_nothing_behind(script):
    """Whatever ended, was rejected or refused: only open orders are kept in memory."""
    broker = after(script)
    assert all(o.status == "open" and o.left > 0 for o in broker.account.open.values())
    assert broker.account.next_oid == 1 + max(
        (o.broker_oid for o in broker.orders.values()), default=0
    )


@given(scripts)
def test_no_price_trades_twice(script):
    """Show every close again at once: the second showing changes nothing."""
    once, twice = Broker(), Broker()
    for action in script:
        once.do(action)
        twice.do(action)
        if action[0] in {"close", "noon"}:
            at = evening(DAYS[twice.day])
            if action[0] == "noon":
                at = morning(DAYS[twice.day + 1]) + timedelta(hours=1)
            twice.show(action[1], at)
    assert twice.account.positions == once.account.positions
    assert twice.account.cash == once.account.cash
