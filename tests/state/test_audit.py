"""The audit, one row per thing that can be wrong; and what cannot be checked is never good."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import msgspec
import pytest
from msgspec.structs import replace

from state.audit import ASKED, audit, audited
from state.event import Difference, Start
from state.evidence import AuditFacts, JournalChecked, Severity, ok
from state.instrument import Instrument
from state.ledger import Ledger, Position
from state.order import Order, Status
from state.quote import Mark
from state.settings import Execution, Limits
from state.snapshot import Day, Halting, Snapshot
from state.status import BeliefFacts, FeedFacts
from tests.state.test_belief_answers import belief

CLOSE = datetime(2022, 12, 28, 21, tzinfo=UTC)
DAY = date(2022, 12, 28)
MIB = 1 << 20
LIMITS = Limits(max_position_weight=0.5, allow_short=True)
START = Start(
    version="1",
    config_hash="",
    account="A",
    base_currency="USD",
    mode="paper",
    calendar="XNYS",
    strategy="s",
    instruments=(),
    limits=LIMITS,
    execution=Execution(),
)
MARKS = {"KO": Mark(D(40), CLOSE, DAY, 9), "XOM": Mark(D(100), CLOSE, DAY, 9)}
FEED = FeedFacts("replay", connected=True, last_at=CLOSE, ended=False)
ORDER = Order(
    order_id="R.0",
    rid="R",
    symbol="KO",
    quantity=D(10),
    status=Status.LIVE,
    created_at=CLOSE,
    session=DAY,
    price=D(40),
)
# 10,000 put in, 100 KO bought for 3,500 and 10 XOM sold short for 1,200, fees 5: worth 10,695
LEDGER = Ledger(
    cash=D(7_695),
    positions={
        "KO": Position(D(100), D(3_500), fees=D(3)),
        "XOM": Position(D(-10), D(-1_200), fees=D(2)),
        "PEP": Position(),
    },
    fees=D(5),
    flows=D(10_000),
)
SOUND = Snapshot(
    seq=50,
    start=START,
    instruments={"KO": Instrument("KO"), "XOM": Instrument("XOM")},
    marks=MARKS,
    bars=9,
    at=CLOSE,
    ledger=LEDGER,
    orders={"R.0": ORDER},
    commands={"R": ("R.0",)},
    targets={"KO": 0.4, "XOM": -0.1, "PEP": 0.0},
    strategy="s",
    belief=belief({"KO": {"up_calm": 1.0, "ok": 1.0}}, CLOSE),
    day=Day(DAY, D(10_695), orders=1),
    reconciled=True,
)
MIND = BeliefFacts("numpy", ready=True, model_hash="m", at=CLOSE, origin="stored")
FACTS = AuditFacts(
    at=CLOSE,
    due=CLOSE,
    broker="paper",
    differences=(),
    broker_orders=("R.0",),
    feed=FEED,
    journal=JournalChecked(ok=True, seq=50, expected=50, message="50 records, unbroken"),
    disk_free=10_000 * MIB,
    wal_bytes=4 * MIB,
    beliefs=MIND,
)


def found(now=SOUND, facts=FACTS):
    """Return the checks that are not ok, by name."""
    return {c.name: c for c in audit(now, facts).checks if c.severity is not Severity.OK}


def holding(**positions):
    """Return the sound book holding other positions, which adds up."""
    held = {symbol: Position(D(q), D(cost)) for symbol, (q, cost) in positions.items()}
    cash = D(10_000) - sum((p.cost for p in held.values()), D(0))
    return {"ledger": Ledger(cash, held, flows=D(10_000))}


def limited(**changes):
    return {"start": replace(START, limits=replace(LIMITS, **changes))}


def ordered(**changes):
    changed = replace(ORDER, **changes)
    return {"orders": {changed.order_id: changed}}


def test_a_sound_account_passes_every_check():
    result = audit(SOUND, FACTS)

    assert (result.verdict, result.as_of) == (Severity.OK, CLOSE)
    assert {check.severity for check in result.checks} == {Severity.OK}
    assert all(check.message for check in result.checks)


def test_an_audit_on_the_wire():
    wire = msgspec.json.decode(msgspec.json.encode(audit(SOUND, FACTS)))

    assert wire["verdict"] == "ok"
    assert wire["checks"][0] == {
        "name": "books",
        "severity": "ok",
        "value": 0,
        "limit": 0,
        "message": "cash and 2 positions are as the paper broker's",
    }


BORROWED = {**holding(KO=(300, 12_000)), "day": Day(DAY, D(10_000))}
STATE = [
    ("reconciliation", "warn", {"reconciled": False}, "the books are being compared"),
    (
        "reconciliation",
        "breach",
        {"reconciled": False, "differences": (Difference("KO", D(1), D(2)),)},
        "the last comparison differed in KO",
    ),
    (
        "ledger",
        "breach",
        {"ledger": replace(LEDGER, cash=LEDGER.cash + D("0.000001"))},
        "cash is 0.000001 away",
    ),
    (
        "ledger",
        "breach",
        {"ledger": replace(LEDGER, fees=D(4), cash=LEDGER.cash + 1)},
        "the fees of the positions are not the account's",
    ),
    (
        "ledger",
        "breach",
        {
            "ledger": replace(
                LEDGER,
                positions={**LEDGER.positions, "PEP": Position(cost=D(7))},
                cash=LEDGER.cash - 7,
            )
        },
        "a cost that their quantity cannot have",
    ),
    (
        "ledger",
        "breach",
        {"ledger": holding(KO=(100, -10))["ledger"]},
        "a cost that their quantity cannot have",
    ),
    (
        "cash",
        "breach",
        {**BORROWED, **limited(max_position_weight=9, max_gross=9, max_net=9)},
        "2000 is borrowed and risk.margin is off",
    ),
    (
        "cash",
        "warn",
        {
            **BORROWED,
            **limited(max_position_weight=9, max_gross=9, max_net=9, margin=True),
        },
        "2000 is borrowed; risk.margin allows it",
    ),
    (
        "holdings_unknown",
        "breach",
        {"instruments": {"KO": Instrument("KO")}, "targets": None},
        "XOM: held and not in universe.symbols",
    ),
    (
        "holdings_short",
        "breach",
        {**limited(allow_short=False), "targets": None},
        "XOM: held short while risk.allow_short is off",
    ),
    ("holdings_restricted", "warn", limited(restricted=("KO",)), "KO: held and restricted"),
    (
        "holdings_restricted",
        "warn",
        {"start": replace(START, restricted=("XOM", "PEP"))},
        "XOM: held and restricted",
    ),
    ("orders_unknown", "breach", ordered(status=Status.UNKNOWN), "R.0: sent, and the broker"),
    ("orders", "breach", {"commands": {}}, "R.0 is open and its command R does not know it"),
    (
        "orders",
        "breach",
        {"commands": {"R": ("R.0", "R.1")}},
        "R.1 belongs to command R and is gone",
    ),
    ("orders", "breach", ordered(filled=D(11)), "R.0 traded 11 of 10"),
    (
        "halts",
        "warn",
        {"halts": {"account": Halting("account", "drill", "TRADING_HALTED", "ops", CLOSE)}},
        "account was halted by ops at 2022-12-28 21:00 UTC: drill",
    ),
    (
        "halts",
        "breach",
        {"halts": {"account": Halting("account", "26 %", "DRAWDOWN", "risk", CLOSE)}},
        "account was halted by risk",
    ),
    ("max_drawdown", "warn", {"drawdown": 0.2}, "20.00%; the limit is 25.00%: 80% of it is used"),
    ("max_drawdown", "breach", {"drawdown": 0.25}, "25.00%; the limit is 25.00%: it is broken"),
    ("max_day_loss", "warn", {"day": Day(DAY, D(11_180))}, "of it is used"),
    ("max_day_loss", "breach", {"day": Day(DAY, D(11_300))}, "it is broken"),
    ("max_gross", "breach", {**limited(max_gross=0.4), "targets": None}, "it is broken"),
    ("max_net", "breach", limited(max_net=0.2), "it is broken"),
    ("max_position_weight", "warn", limited(max_position_weight=0.4), "37.40% of KO; the limit"),
    (
        "max_position_weight",
        "breach",
        {**limited(max_position_weight=0.3), "targets": None},
        "it is broken",
    ),
    ("max_day_turnover", "warn", {"day": Day(DAY, D(10_695), D(4_500))}, "42.08%"),
    ("max_day_turnover", "breach", {"day": Day(DAY, D(10_695), D(5_400))}, "it is broken"),
    ("max_day_orders", "warn", {"day": Day(DAY, D(10_695), orders=400)}, "400; the limit is 500"),
    ("max_orders_per_minute", "warn", {"recent": (CLOSE,) * 60}, "60; the limit is 60: 100%"),
    ("max_orders_per_minute", "breach", {"recent": (CLOSE,) * 61}, "it is broken"),
    ("targets", "warn", {"targets": {"KO": float("nan")}}, "the target of KO is nan, no number"),
    ("targets", "warn", {"targets": {"NEW": 0.1}}, "NEW is not in the universe"),
    ("targets", "warn", {"targets": {"KO": 0.6}}, "60.00%, above risk.max_position_weight 50.00%"),
    (
        "targets",
        "warn",
        {**limited(allow_short=False), **holding(KO=(100, 3_500))},
        "the target of XOM is -10.00%, and risk.allow_short is off",
    ),
    (
        "targets",
        "warn",
        {"targets": {"KO": 0.5, "XOM": 0.5}, **limited(max_gross=0.9)},
        "targets add up to 100.00%, above risk.max_gross 90.00%",
    ),
    ("data_age", "breach", {"bars": 10}, "older than 1 bar: KO, XOM; held: KO, XOM"),
    (
        "data_age",
        "warn",
        {"instruments": {**SOUND.instruments, "PEP": Instrument("PEP")}},
        "never priced: PEP",
    ),
    ("data_age", "warn", {"bars": 0}, "no bar has closed yet"),
]
WORLD = [
    (
        "books",
        "breach",
        {"differences": (Difference("KO", D("100.000000"), D(90)),)},
        "KO: we have 100, the paper broker has 90",
    ),
    (
        "books",
        "breach",
        {"differences": None, "unavailable": "no answer in 5 s"},
        "the paper broker could not be compared with: no answer in 5 s",
    ),
    ("books", "breach", {"differences": None}, "it did not answer"),
    (
        "orders_broker",
        "breach",
        {"broker_orders": ("R.0", "X.0")},
        "open at the paper broker and not of ours: X.0",
    ),
    (
        "orders_broker",
        "warn",
        {"broker_orders": ()},
        "open here and not at the paper broker: R.0",
    ),
    ("orders_broker", "breach", {"broker_orders": None}, "are not known: it did not answer"),
    ("orders_broker", "breach", {"broker_orders": None, "unavailable": "gone"}, "not known: gone"),
    ("feed", "warn", {"feed": None}, "nobody can say"),
    ("feed", "breach", {"feed": replace(FEED, connected=False)}, "feed is not connected"),
    (
        "feed",
        "warn",
        {"feed": replace(FEED, refused={"nan": 2, "jump": 1, "order": 0})},
        "bars that were not believed: 1 jump, 2 nan",
    ),
    ("journal", "warn", {"journal": None}, "the journal was not verified"),
    (
        "journal",
        "breach",
        {"journal": JournalChecked(ok=False, seq=7, expected=50, message="record 8 is damaged")},
        "record 8 is damaged; stop trading",
    ),
    (
        "journal",
        "breach",
        {"journal": JournalChecked(ok=True, seq=49, expected=50, message="49 records")},
        "the journal ends at record 49, and 50 were written",
    ),
    ("disk", "warn", {"disk_free": None}, "nobody can say how much room"),
    ("disk", "warn", {"disk_free": 1000 * MIB}, "1,000 MiB free"),
    ("disk", "warn", {"disk_free": 5000 * MIB, "disk_low": 6000 * MIB}, "5,000 MiB free"),
    ("disk", "breach", {"disk_free": 63 * MIB}, "63 MiB free"),
    ("wal", "warn", {"wal_bytes": None}, "nobody can say how large"),
    ("wal", "warn", {"wal_bytes": 65 * MIB}, "65.0 MiB"),
    ("wal", "breach", {"wal_bytes": 1025 * MIB}, "1,025.0 MiB"),
]


SURE = {"up_calm": 1.0, "ok": 1.0}
STATE += [
    ("belief_sanity", "warn", {"belief": None}, "nothing is believed yet"),
    (
        "belief_sanity",
        "breach",
        {"belief": belief({"KO": SURE | {"up_calm": 0.9}}, CLOSE)},
        "no probabilities: KO",
    ),
    (
        "belief_sanity",
        "warn",
        {"belief": belief({"KO": SURE | {"ok": 0.0}}, CLOSE)},
        "begun anew at the last close, with a target of zero: KO",
    ),
    (
        "belief_sanity",
        "warn",
        {"belief": belief({"KO": SURE}, CLOSE - timedelta(days=1)), "closed_at": CLOSE},
        "the last close was not thought about",
    ),
    (
        "belief_drift",
        "warn",
        {"belief": belief({"KO": SURE | {"drift": 4.5}}, CLOSE)},
        "the model has ceased to fit KO",
    ),
]
WORLD += [
    (
        "beliefs",
        "breach",
        {"beliefs": replace(MIND, ready=False, failure="no memory")},
        "there are no new targets: no memory",
    ),
]


def test_a_strategy_without_a_mind_has_nothing_to_be_checked():
    assert found(replace(SOUND, belief=None), replace(FACTS, beliefs=None)) == {}


@pytest.mark.parametrize(("name", "severity", "changes", "told"), STATE)
def test_what_is_wrong_with_the_account_is_found(name, severity, changes, told):
    wrong = found(replace(SOUND, **changes))

    assert name in wrong
    assert (wrong[name].severity.value, told in wrong[name].message) == (severity, True), wrong
    assert set(wrong) == {name}, wrong


@pytest.mark.parametrize(("name", "severity", "changes", "told"), WORLD)
def test_what_is_wrong_with_the_world_is_found(name, severity, changes, told):
    wrong = found(facts=replace(FACTS, **changes))

    assert set(wrong) == {name}
    assert (wrong[name].severity.value, told in wrong[name].message) == (severity, True), wrong


def test_every_check_has_a_row():
    named = {check.name for check in audit(SOUND, FACTS).checks}
    rows = {row[0] for row in STATE + WORLD} | {
        "cash_pending",
        "executions_owed",
        "holdings_unpriced",
        "orders_external",
    }

    assert named == rows
    assert len(ASKED) == len(set(ASKED))


def test_executions_the_broker_counted_and_did_not_tell_are_found():
    ended = ordered(status=Status.CANCELLED, reported=D(4), filled=D(1))
    over = replace(SOUND, **ended, commands={})  # its command is finished, and need not wait for it
    wrong = found(over, replace(FACTS, broker_orders=()))

    assert list(wrong) == ["executions_owed"]
    assert wrong["executions_owed"].message.endswith("still to come: R.0 (3 of KO)")
    assert wrong["executions_owed"].severity is Severity.WARN


def test_an_order_on_its_way_need_not_be_at_the_broker_yet():
    on_its_way = replace(SOUND, **ordered(status=Status.SENDING))

    assert found(on_its_way, replace(FACTS, broker_orders=())) == {}


def test_a_holding_without_a_price_makes_whatever_needs_one_a_breach():
    wrong = found(replace(SOUND, marks={"KO": MARKS["KO"]}))

    assert {name: check.severity.value for name, check in wrong.items()} == {
        "holdings_unpriced": "breach",
        "max_day_loss": "breach",
        "max_gross": "breach",
        "max_net": "breach",
        "max_position_weight": "breach",
        "data_age": "breach",
    }
    assert wrong["max_gross"].message == "it cannot be measured: no price for XOM"
    assert wrong["max_gross"].value is None


def test_before_the_first_session_the_days_budgets_are_a_warning():
    wrong = found(replace(SOUND, day=None))

    assert set(wrong) == {"max_day_loss", "max_day_turnover", "max_day_orders"}
    assert {check.severity for check in wrong.values()} == {Severity.WARN}
    assert wrong["max_day_loss"].message == "it cannot be measured: no session has begun"


def test_every_difference_has_its_own_line():
    two = (Difference("cash", D(1), D(2)), Difference("KO", D(3), D(4)))
    checks = [c for c in audit(SOUND, replace(FACTS, differences=two)).checks if c.name == "books"]

    assert [(c.value, c.limit) for c in checks] == [("1", "2"), ("3", "4")]


@pytest.mark.parametrize(
    ("age", "stale"), [(timedelta(minutes=14), False), (timedelta(minutes=15), True)]
)
def test_a_price_ages_by_the_time_the_market_was_open(age, stale):
    timed = replace(SOUND, **limited(stale_after="15m"))
    later = replace(FACTS, at=CLOSE + timedelta(days=3), due=CLOSE + age)

    assert ("data_age" in found(timed, later)) is stale


def test_a_fully_invested_book_is_no_warning_and_neither_is_no_strategy():
    invested = holding(KO=(125, 5_000), XOM=(50, 5_000))
    full = replace(SOUND, targets=None, **limited(max_position_weight=0.7), **invested)

    assert found(replace(full, day=Day(DAY, D(10_000)))) == {}


def test_the_first_investment_does_not_exhaust_the_days_turnover():
    invested = Day(DAY, D(10_695), D(10_600), exempt=True)

    assert found(replace(SOUND, day=invested)) == {}


def test_a_replay_that_ended_is_not_a_broken_feed():
    assert found(facts=replace(FACTS, feed=replace(FEED, connected=False, ended=True))) == {}


def test_before_anything_started_nothing_is_called_good():
    result = audit(Snapshot(), FACTS)
    wrong = {check.name: check.severity.value for check in result.checks if check.severity != "ok"}

    assert result.verdict is Severity.BREACH
    assert wrong == {
        "reconciliation": "warn",
        "orders_broker": "breach",
        "limits": "breach",
        "data_age": "warn",
        "belief_sanity": "warn",
    }


def test_the_verdict_is_the_worst_of_all():
    low = replace(FACTS, disk_free=1000 * MIB)

    assert audit(SOUND, low).verdict is Severity.WARN
    assert audit(SOUND, replace(low, differences=None)).verdict is Severity.BREACH


def test_a_check_that_raises_is_a_breach_and_the_others_are_still_made():
    unreadable = replace(SOUND, **limited(stale_after="a while"))
    wrong = found(unreadable)

    assert list(wrong) == ["data_age"]
    assert wrong["data_age"].severity is Severity.BREACH
    assert wrong["data_age"].message.startswith("it could not be checked: NotADuration:")


def test_checks_that_say_nothing_and_no_checks_at_all_are_breaches():
    def silent(_now, _facts):
        return iter(())

    def content(_now, _facts):
        yield ok("content", 1, 1, "fine")

    assert audited(SOUND, FACTS, [content]).verdict is Severity.OK
    assert audited(SOUND, FACTS, [silent, content]).verdict is Severity.BREACH
    assert audited(SOUND, FACTS, []).verdict is Severity.BREACH
