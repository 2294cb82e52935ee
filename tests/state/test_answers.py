"""What a snapshot answers, field by field: the names are a public contract."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.answers import fill, order, plain, portfolio
from state.apply import replay
from state.denial import Code, Denial
from state.event import (
    BarsClosed,
    CashMoved,
    OrderAccepted,
    OrderClaimed,
    OrderFilled,
    OrderSubmitted,
    PositionAdjusted,
    Start,
    Started,
)
from state.instrument import Instrument
from state.order import Status
from state.plan import Plan, PlanLine, Preview
from state.plan_answers import plan
from state.quote import Bar
from state.settings import Execution, Limits
from state.snapshot import Snapshot

CLOSE = datetime(2022, 12, 28, 21, tzinfo=UTC)
DAY = date(2022, 12, 28)
START = Start(
    version="1",
    config_hash="c",
    account="DEMO",
    base_currency="USD",
    mode="replay",
    calendar="XNYS",
    strategy="inverse_volatility",
    instruments=(Instrument("KO"), Instrument("XOM")),
    limits=Limits(),
    execution=Execution(),
)


def bought(symbol, quantity, price, fee="1", leg=0, at=CLOSE):
    order_id = f"RID.{leg}"
    signed = D(quantity)
    return [
        OrderSubmitted(order_id, "RID", symbol, signed, D(price), None, "rebalance", DAY, at),
        OrderClaimed(order_id, leg + 1, at),
        OrderAccepted(order_id, f"B{leg}", D(0), at),
        OrderFilled(f"x{leg}", order_id, symbol, signed, D(price), D(fee), at, at),
    ]


def closed(at=CLOSE, equity="10000", **closes):
    bars = tuple(Bar(symbol, D(price)) for symbol, price in closes.items())
    return BarsClosed(at, at.date(), bars, D(equity), D(0), 0.0, 0.0)


def given_book():
    """Return 10,000 put in, 100 KO bought at 50 and now at 55, 10 XOM sold short at 80, now 75."""
    return replay(
        Snapshot(),
        [
            Started(START, CLOSE),
            CashMoved("initial", D("10000.000000"), "", CLOSE),
            closed(KO="50", XOM="80"),
            *bought("KO", "100.000000", "50"),
            *bought("XOM", "-10", "80", leg=1),
            CashMoved("dividend", D("12.50"), "", CLOSE),
            closed(CLOSE + timedelta(days=1), equity="10560.5", KO="55", XOM="75"),
        ],
    )


def wire(answer):
    return msgspec.json.decode(msgspec.json.encode(answer))


def test_a_portfolio_on_the_wire():
    assert wire(portfolio(given_book())) == {
        "as_of": "2022-12-29T21:00:00Z",
        "base_currency": "USD",
        "equity": "10560.5",  # 5,810.50 in cash, 5,500 of KO, less 750 of XOM
        "cash": "5810.5",  # 10,000 - 5,000 - 1 + 800 - 1 + 12.50
        "realized": "0",
        "unrealized": "550",
        "fees": "2",
        "flows": "10000",
        "income": "12.5",
        "positions": [
            {
                "symbol": "KO",
                "quantity": "100",
                "average_price": "50",
                "price": "55",
                "priced_at": "2022-12-29T21:00:00Z",
                "value": "5500",
                "weight": pytest.approx(5500 / 10560.5),
                "unrealized": "500",
                "realized": "0",
                "fees": "1",
            },
            {
                "symbol": "XOM",
                "quantity": "-10",
                "average_price": "80",
                "price": "75",
                "priced_at": "2022-12-29T21:00:00Z",
                "value": "-750",
                "weight": pytest.approx(-750 / 10560.5),
                "unrealized": "50",
                "realized": "0",
                "fees": "1",
            },
        ],
        "unpriced": [],
    }


def test_a_closed_position_leaves_its_profit_and_no_line():
    sold = bought("KO", "-100", "55", leg=2, at=CLOSE + timedelta(days=2))
    answer = portfolio(replay(given_book(), sold))

    assert [p.symbol for p in answer.positions] == ["XOM"]
    assert answer.realized == D(500)


def test_nothing_started_is_an_empty_book_not_an_error():
    answer = portfolio(Snapshot())

    assert (answer.as_of, answer.base_currency, answer.equity) == (None, None, D(0))
    assert answer.positions == ()


def test_a_holding_without_a_price_makes_the_sums_unknown_rather_than_smaller():
    spun_off = PositionAdjusted("NEW", D(5), D(3), "spin-off", CLOSE)
    answer = portfolio(replay(given_book(), [spun_off]))
    new = next(p for p in answer.positions if p.symbol == "NEW")

    assert (answer.equity, answer.unrealized, answer.unpriced) == (None, None, ("NEW",))
    assert (new.price, new.value, new.weight, new.unrealized) == (None, None, None, None)
    assert answer.positions[0].value == D(5500)  # what is known is still said
    assert answer.positions[0].weight is None


def test_a_holding_has_no_weight_in_an_account_worth_nothing():
    lost = [CashMoved("withdraw", D("-10560.5"), "", CLOSE)]

    assert [p.weight for p in portfolio(replay(given_book(), lost)).positions] == [None, None]


def test_an_order_on_the_wire():
    now = replay(
        Snapshot(),
        [
            Started(START, CLOSE),
            OrderSubmitted("R.0", "R", "KO", D(-30), D(50), D("49.50"), "manual", DAY, CLOSE),
            OrderClaimed("R.0", 7, CLOSE),
            OrderAccepted("R.0", "77", D(0), CLOSE),
            OrderFilled("x", "R.0", "KO", D(-10), D("49.6"), D("0.05"), CLOSE, CLOSE),
            OrderFilled("y", "R.0", "KO", D(-20), D("49.7"), D("0.05"), CLOSE, CLOSE),
        ],
    )
    assert wire(order(now.orders["R.0"], "a-key")) == {
        "order_id": "R.0",
        "order_ref": "TM1.R.0",
        "symbol": "KO",
        "side": "sell",
        "quantity": "30",
        "filled": "30",
        "average_price": "49.666667",
        "limit_price": "49.5",
        "status": "filled",
        "broker_id": "77",
        "key": "a-key",
        "created_at": "2022-12-28T21:00:00Z",
        "session": "2022-12-28",
        "reference_price": "50",
        "fees": "0.1",
        "reason": "",
        "source": "manual",
    }


def test_an_order_that_has_not_traded_has_no_average_price():
    waiting = OrderSubmitted("R.0", "R", "KO", D(3), D(50), None, "manual", DAY, CLOSE)
    answer = order(replay(Snapshot(), [waiting]).orders["R.0"], None)

    assert (answer.side, answer.status, answer.average_price) == ("buy", Status.PENDING, None)
    assert (answer.limit_price, answer.broker_id, answer.key) == (None, None, None)


def test_a_fill_on_the_wire():
    later = CLOSE + timedelta(seconds=2)
    sale = OrderFilled("x", "R.0", "KO", D("-10.500"), D("49.60"), D("0.05"), CLOSE, later)

    assert wire(fill(sale)) == {
        "execution_id": "x",
        "order_id": "R.0",
        "symbol": "KO",
        "side": "sell",
        "quantity": "10.5",
        "price": "49.6",
        "notional": "520.8",
        "fee": "0.05",
        "at": "2022-12-28T21:00:00Z",
        "booked_at": "2022-12-28T21:00:02Z",
    }


def test_a_plan_on_the_wire():
    line = PlanLine("KO", 0.3, 0.2, D("-20.0"), D("50.00"), D(1000), D("0.30"), "above the band")
    no = Denial(Code.STALE_DATA, "XOM", "3 days", "1 bar", "the last price is old", "wait")
    made = Plan(
        plan_id="P1",
        hash="h",
        made_at=CLOSE,
        as_of=CLOSE,
        expires_at=CLOSE + timedelta(minutes=10),
        bars=1,
        equity=D("10000.00"),
        turnover=0.1,
        cost=D("0.30"),
        lines=(line,),
        denied=(no,),
        previews=(Preview("KO", D("-20.0"), D("1.00"), D("1.50"), "USD", D("-500.00")),),
    )
    submitted = OrderSubmitted("R.0", "R", "KO", D(-20), D(50), None, "rebalance", DAY, CLOSE)
    caused = replay(Snapshot(), [submitted]).orders["R.0"]
    answer = wire(plan(made, (caused,), "k"))

    assert answer.pop("orders") == [wire(order(caused, "k"))]
    assert answer == {
        "plan_id": "P1",
        "hash": "h",
        "state": "open",
        "by": "",
        "made_at": "2022-12-28T21:00:00Z",
        "as_of": "2022-12-28T21:00:00Z",
        "expires_at": "2022-12-28T21:10:00Z",
        "equity": "10000",
        "turnover": 0.1,
        "cost": "0.3",
        "lines": [
            {
                "symbol": "KO",
                "side": "sell",
                "current_weight": 0.3,
                "target_weight": 0.2,
                "quantity": "-20",
                "price": "50",
                "notional": "1000",
                "cost": "0.3",
                "reason": "above the band",
            }
        ],
        "denied": [
            {
                "symbol": "XOM",
                "code": "STALE_DATA",
                "message": "the last price is old",
                "hint": "wait",
                "value": "3 days",
                "limit": "1 bar",
            }
        ],
        "previews": [
            {
                "symbol": "KO",
                "side": "sell",
                "quantity": "-20",
                "commission_least": "1",
                "commission_most": "1.5",
                "commission_currency": "USD",
                "initial_margin": "-500",
                "maintenance_margin": None,
                "equity_with_loan": None,
                "warning": "",
                "unknown": "",
            }
        ],
    }


@pytest.mark.parametrize(
    ("value", "spelt"),
    [
        pytest.param("1E+6", "1000000", id="no exponent"),
        pytest.param("12.500000", "12.5", id="no trailing zeros"),
        pytest.param("100", "100", id="zeros before the point stay"),
        pytest.param("-0.000000", "0", id="no negative zero"),
        pytest.param("0.000001", "0.000001", id="a micro"),
        pytest.param("0.0000001", "0", id="below a micro there is nothing"),
        pytest.param("-33.3333333333", "-33.333333", id="a quotient ends at a micro"),
        pytest.param("9000000000000", "9000000000000", id="the journal's largest"),
    ],
)
def test_amounts_are_spelt_as_people_do(value, spelt):
    assert str(plain(D(value))) == spelt


@given(st.decimals(-9 * 10**12, 9 * 10**12, places=6))
def test_spelling_never_changes_an_amount(value):
    assert plain(value) == value
    assert "E" not in str(plain(value))
    assert not ("." in str(plain(value)) and str(plain(value)).endswith("0"))
