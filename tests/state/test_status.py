"""One screen of what matters, field by field."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import msgspec
import pytest

from state.apply import replay
from state.event import (
    BarsClosed,
    CashMoved,
    Difference,
    Halted,
    OrderAccepted,
    OrderClaimed,
    OrderFilled,
    OrderLost,
    OrderSubmitted,
    PositionAdjusted,
    Reconciled,
    Start,
    Started,
)
from state.instrument import Instrument
from state.quote import Bar
from state.settings import Execution, Limits
from state.snapshot import Snapshot
from state.status import BrokerFacts, FeedFacts, JournalFacts, StatusFacts, status

CLOSE = datetime(2022, 12, 28, 21, tzinfo=UTC)
NEXT = CLOSE + timedelta(days=1)
DAY, NEXT_DAY = date(2022, 12, 28), date(2022, 12, 29)
START = Start(
    version="1",
    config_hash="c",
    account="DEMO",
    base_currency="USD",
    mode="replay",
    calendar="XNYS",
    strategy="inverse_volatility",
    instruments=(Instrument("KO"),),
    limits=Limits(max_position_weight=0.8),
    execution=Execution(),
)
FACTS = StatusFacts(
    mode="replay",
    ready=True,
    clock=NEXT,
    feed=FeedFacts("replay", connected=True, last_at=NEXT, ended=False, refused={"nan": 2}),
    broker=BrokerFacts("paper", connected=True, account="DEMO"),
    journal=JournalFacts(seq=9, bytes=4096),
    version="0.1.0",
    pid=42,
)
OPENED = [
    Started(START, CLOSE),
    CashMoved("initial", D(10_000), "", CLOSE),
    BarsClosed(CLOSE, DAY, (Bar("KO", D(50)),), D(10_000), D(10_000), 0.0, 0.0),
]
INVESTED = [
    *OPENED,
    Reconciled((), CLOSE),
    OrderSubmitted("R.0", "R", "KO", D(100), D(50), None, "rebalance", NEXT_DAY, CLOSE),
    OrderClaimed("R.0", 1, CLOSE),
    OrderAccepted("R.0", "B", D(0), CLOSE),
    OrderFilled("x", "R.0", "KO", D(100), D(50), D(0), NEXT, NEXT),
    BarsClosed(NEXT, NEXT_DAY, (Bar("KO", D(48)),), D(9_800), D(5_000), 0.49, 0.49),
]


def test_a_status_on_the_wire():
    answer = msgspec.json.decode(msgspec.json.encode(status(replay(Snapshot(), INVESTED), FACTS)))
    limits = {limit["name"]: limit for limit in answer.pop("limits")}

    assert answer == {
        "mode": "replay",
        "ready": True,
        "halted": None,
        "halts": [],
        "clock": "2022-12-29T21:00:00Z",
        "as_of": "2022-12-29T21:00:00Z",
        "feed": {
            "kind": "replay",
            "connected": True,
            "last_at": "2022-12-29T21:00:00Z",
            "ended": False,
            "refused": {"nan": 2},
            "stream": None,
        },
        "broker": {"kind": "paper", "connected": True, "account": "DEMO", "paused": ""},
        "base_currency": "USD",
        "equity": "9800",
        "cash": "5000",
        "gross": pytest.approx(4800 / 9800),
        "net": pytest.approx(4800 / 9800),
        "drawdown": pytest.approx(0.02),
        "open_orders": 0,
        "unknown_orders": 0,
        "strategy": {
            "name": "inverse_volatility",
            "genome_id": None,
            "promoted_at": None,
            "members": [],
        },
        "evolution": {},
        "journal": {"seq": 9, "bytes": 4096},
        "reconciled": True,
        "differences": [],
        "day": {
            "session": "2022-12-29",
            "start_equity": "10000",
            "turnover": 0.0,
            "exempt": False,
            "orders": 0,
            "loss": pytest.approx(0.02),
        },
        "unpriced": [],
        "version": "0.1.0",
        "pid": 42,
        "beliefs": None,
        "alerts": [],
        "deliveries": [],
        "plans": {},
    }
    assert limits["max_position_weight"] == {
        "name": "max_position_weight",
        "value": pytest.approx(4800 / 9800),
        "limit": 0.8,
        "used": pytest.approx(4800 / 9800 / 0.8),
        "symbol": "KO",
        "exempt": False,
    }


def test_before_anything_started_there_is_still_a_status():
    answer = status(Snapshot(), FACTS)

    assert (answer.equity, answer.gross, answer.net) == (D(0), None, None)
    assert (answer.day, answer.limits, answer.base_currency, answer.as_of) == (None, (), None, None)
    assert (answer.strategy.name, answer.reconciled) == ("", False)


def test_the_strategy_that_spoke_last_is_named_before_the_configured_one():
    spoke = BarsClosed(NEXT, NEXT_DAY, (), D(1), D(1), 0.0, 0.0, {}, "volatility_target")

    assert status(replay(Snapshot(), [*OPENED, spoke]), FACTS).strategy.name == "volatility_target"


def test_the_halt_of_the_account_comes_before_an_older_one_of_a_symbol():
    halts = [
        Halted("symbol:KO", "odd prices", "TRADING_HALTED", "ops", CLOSE),
        Halted("account", "drill", "TRADING_HALTED", "ops", NEXT),
    ]
    answer = status(replay(Snapshot(), [*OPENED, *halts]), FACTS)

    assert answer.halted is not None
    assert (answer.halted.scope, answer.halted.reason, answer.halted.actor) == (
        "account",
        "drill",
        "ops",
    )
    assert (answer.halted.at, answer.halted.code) == (NEXT, "TRADING_HALTED")
    assert [halt.scope for halt in answer.halts] == ["account", "symbol:KO"]


def test_a_halt_of_a_symbol_alone_is_said_with_its_scope():
    halted = Halted("symbol:KO", "odd prices", "TRADING_HALTED", "ops", CLOSE)
    answer = status(replay(Snapshot(), [*OPENED, halted]), FACTS)

    assert answer.halted is not None
    assert answer.halted.scope == "symbol:KO"


def test_an_order_nobody_can_find_is_open_and_unknown():
    lost = [*INVESTED[:6], OrderLost("R.0", "the line went dead", CLOSE)]
    answer = status(replay(Snapshot(), lost), FACTS)

    assert (answer.open_orders, answer.unknown_orders) == (1, 1)
    assert answer.day is not None
    assert (answer.day.orders, answer.day.turnover) == (1, 0.5)


def test_differences_are_spelt_plainly():
    found = Reconciled((Difference("KO", D("100.000000"), D("90.000000")),), CLOSE)
    answer = status(replay(Snapshot(), [*OPENED, found]), FACTS)

    assert not answer.reconciled
    assert msgspec.json.encode(answer.differences) == (
        b'[{"subject":"KO","ours":"100","broker":"90"}]'
    )


def test_without_a_price_what_needs_one_is_unknown():
    spun_off = PositionAdjusted("NEW", D(5), D(3), "spin-off", NEXT)
    answer = status(replay(Snapshot(), [*INVESTED, spun_off]), FACTS)

    assert (answer.equity, answer.gross, answer.net, answer.unpriced) == (
        None,
        None,
        None,
        ("NEW",),
    )
    assert answer.day is not None
    assert answer.day.loss is None
