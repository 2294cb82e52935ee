"""What is known after each event, told as stories."""

from datetime import timedelta
from decimal import Decimal as D

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from state.adjusting import CASH_MOVES_KEPT
from state.apply import PLANS_KEPT, apply, replay
from state.denial import Code, Denial
from state.event import (
    CancelRequested,
    CashMoved,
    CommandFinished,
    CommandRefused,
    CommandSkipped,
    Difference,
    Halted,
    OrderAccepted,
    OrderCancelled,
    OrderClaimed,
    OrderDenied,
    OrderFilled,
    OrderLost,
    OrderNotPlaced,
    OrderRejected,
    OrderStopped,
    OrderSubmitted,
    PlanApproved,
    PlanExecuted,
    PlanMade,
    PlanRejected,
    PositionAdjusted,
    Reconciled,
    ReconcileStarted,
    RequestDenied,
    Resumed,
    ShutdownRequested,
    Started,
    TurnoverExempted,
)
from state.order import ImpossibleTransition, Status
from state.plan import Plan, PlanState
from state.snapshot import Snapshot
from tests.given import CLOSE, MONDAY, TUESDAY, bars, funded, start

HOUR = timedelta(hours=1)
NEXT_CLOSE = CLOSE + timedelta(days=1)


def submitted(quantity=100, order_id="R.0", at=CLOSE, session=TUESDAY):
    return OrderSubmitted(
        order_id, order_id.partition(".")[0], "KO", D(quantity), D(50), None, "manual", session, at
    )


def claimed(order_id="R.0", oid=1):
    return OrderClaimed(order_id, oid, CLOSE)


def filled(quantity=100, price=50, execution="x1", order_id="R.0", fee=0):
    return OrderFilled(
        execution, order_id, "KO", D(quantity), D(price), D(fee), NEXT_CLOSE, NEXT_CLOSE
    )


def cancelled(reported=0, order_id="R.0", at=CLOSE):
    return OrderCancelled(order_id, D(reported), "asked back", at)


def turnover(*events):
    return funded(*events).day.turnover


def plan(plan_id):
    return Plan(plan_id, "h", CLOSE, CLOSE, CLOSE, 1, D(1), 0.0, D(0), ())


def test_every_event_takes_its_place_in_the_journal():
    before = funded()
    after = apply(before, ShutdownRequested("ann", CLOSE + HOUR))

    assert (after.seq, after.at) == (before.seq + 1, CLOSE + HOUR)


@pytest.mark.parametrize(
    "event",
    [
        RequestDenied("bob", 1001, "shutdown", "d", "shutdown: viewer", CLOSE),
        CommandRefused("R", Denial(Code.NO_PRICE, "KO"), CLOSE),
        CommandSkipped("R", "AT_TARGET", "nothing to do", CLOSE),
        OrderDenied("R.0", "R", "KO", D(1), Denial(Code.NO_PRICE, "KO"), CLOSE),
        ShutdownRequested("ann", CLOSE),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_only_the_journal_needs_changes_nothing_else(event):
    before = funded()

    assert replace(apply(before, event), seq=before.seq) == before


class TestRuns:
    def test_a_run_brings_its_instruments_and_is_not_yet_reconciled(self):
        after = apply(funded(), Started(start(instruments=()), CLOSE))

        assert (after.instruments, after.reconciled) == ({}, False)

    @pytest.mark.parametrize(("strategy", "kept"), [("test", True), ("another", False)])
    def test_a_run_of_another_strategy_begins_without_its_targets(self, strategy, kept):
        own = replace(bars(50, 100, day=1, targets={"KO": 1.0}), strategy="test")
        failed = replace(bars(50, 100, day=2), strategy="test", undecided="it raised")
        after = funded(own, failed, Started(start(strategy=strategy), CLOSE))

        assert (after.targets, after.decided, after.undecided) == (
            ({"KO": 1.0}, TUESDAY, "it raised") if kept else (None, None, "")
        )

    def test_comparing_the_books_closes_the_way_until_they_agree(self):
        differing = (Difference("KO", D(100), D(90)),)

        assert not funded(ReconcileStarted(CLOSE)).reconciled
        assert not funded(Reconciled(differing, CLOSE)).reconciled
        assert funded(Reconciled(differing, CLOSE)).differences == differing
        assert funded(Reconciled(differing, CLOSE), Reconciled((), CLOSE)).reconciled


class TestCloses:
    def test_a_close_marks_what_it_names_and_counts(self):
        now = funded(replace(bars(51, 99, day=1), bars=bars(51, 99).bars[:1]))

        assert (now.marks["KO"].price, now.marks["KO"].bars) == (51, 2)
        assert (now.marks["PG"].price, now.marks["PG"].bars) == (100, 1)
        assert (now.bars, now.session, now.closed_at) == (2, TUESDAY, NEXT_CLOSE)

    def test_a_strategy_without_an_opinion_leaves_the_targets(self):
        assert funded(bars(51, 99, day=1)).targets == {"KO": 0.5, "PG": 0.25}
        assert funded(bars(51, 99, day=1, targets={})).targets == {}

    def test_the_strategys_name_is_kept_until_another_speaks(self):
        named = replace(bars(51, 99, day=1), strategy="first")

        assert funded(named, bars(52, 99, day=2)).strategy == "first"

    def test_a_later_session_has_new_budgets_measured_from_the_last_close(self):
        spent = funded(submitted(), TurnoverExempted(MONDAY, CLOSE))
        assert (spent.day.orders, spent.day.turnover, spent.day.exempt) == (1, 5000, True)

        fresh = apply(spent, bars(60, 100, day=1, cash=110_000)).day
        assert (fresh.session, fresh.start_equity) == (TUESDAY, 100_000)
        assert (fresh.orders, fresh.turnover, fresh.exempt) == (0, 0, False)

    @pytest.mark.parametrize("day", [0, -1], ids=["the same session", "a clock moved back"])
    def test_a_session_that_is_not_later_keeps_the_days_budgets(self, day):
        spent = funded(submitted())

        assert apply(spent, bars(60, 100, day=day)).day == spent.day

    def test_drawdown_is_measured_from_the_highest_close(self):
        now = funded(bars(50, 100, day=1, cash=120_000), bars(50, 100, day=2, cash=90_000))

        assert (now.high_water, now.drawdown) == (120_000, 0.25)

    def test_an_empty_account_has_no_drawdown(self):
        assert funded(cash=0).drawdown == 0.0

    def test_executions_are_remembered_for_a_fortnight_of_sessions(self):
        now = funded(submitted(), claimed(), filled())

        assert apply(now, bars(50, 100, day=14)).executions.keys() == {"x1"}
        assert apply(now, bars(50, 100, day=15)).executions == {}

    def test_a_close_without_the_targets_it_should_have_ends_the_use_of_older_ones(self):
        failed = replace(bars(50, 100, day=1), undecided="it raised")
        silent, decided = bars(50, 100, day=2), bars(50, 100, day=3, targets={"KO": 1.0})

        assert (funded().decided, funded().undecided) == (MONDAY, "")
        assert (funded(failed).decided, funded(failed).undecided) == (MONDAY, "it raised")
        assert funded(failed, silent).undecided == "it raised"
        assert funded(failed, silent, decided).undecided == ""


class TestOrders:
    def test_an_order_counts_from_the_moment_it_is_on_record(self):
        now = funded(submitted())

        assert now.orders["R.0"].status is Status.PENDING
        assert now.commands == {"R": ("R.0",)}
        assert (now.day.orders, now.day.turnover, now.recent) == (1, 5000, (CLOSE,))
        assert now.invested

    def test_only_the_last_minutes_orders_count_for_the_rate(self):
        second = timedelta(seconds=1)
        early, late = submitted(), submitted(order_id="R.1", at=CLOSE + 59 * second)
        later = submitted(order_id="R.2", at=CLOSE + 60 * second)

        assert funded(early, late).recent == (early.at, late.at)
        assert funded(early, late, later).recent == (late.at, later.at)

    def test_before_the_first_close_there_is_no_day_to_charge(self):
        now = replay(Snapshot(), [Started(start(), CLOSE), submitted()])

        assert now.day is None
        assert apply(now, OrderStopped("R.0", "expired", "late", CLOSE)).day is None

    def test_a_claim_uses_an_id_up(self):
        now = funded(submitted(), claimed(oid=7))

        assert (now.orders["R.0"].status, now.orders["R.0"].broker_oid) == (Status.SENDING, 7)
        assert now.next_oid == 8

    @pytest.mark.parametrize(
        ("why", "status"),
        [
            ("expired", Status.EXPIRED),
            ("halted", Status.HALTED),
            ("cancelled", Status.CANCELLED),
        ],
    )
    def test_an_order_that_is_not_sent_gives_its_turnover_back(self, why, status):
        now = funded(submitted(), OrderStopped("R.0", why, "because", CLOSE))

        assert (now.orders["R.0"].status, now.orders["R.0"].reason) == (status, "because")
        assert (now.day.turnover, now.day.orders) == (0, 1)

    def test_what_the_broker_accepted_keeps_its_id_and_the_largest_count(self):
        now = funded(
            submitted(), claimed(), OrderAccepted("R.0", "b7", D(30), CLOSE),
            OrderAccepted("R.0", None, D(10), CLOSE),
        )  # fmt: skip

        assert (now.orders["R.0"].broker_id, now.orders["R.0"].reported) == ("b7", 30)

    def test_an_order_asked_back_waits_for_the_broker(self):
        now = funded(submitted(), claimed(), CancelRequested("R.0", "ann", CLOSE))

        assert now.orders["R.0"].status is Status.PENDING_CANCEL
        assert now.day.turnover == 5000

    def test_an_order_that_is_lost_is_in_doubt_and_counts(self):
        now = funded(submitted(), claimed(), OrderLost("R.0", "no answer", CLOSE))

        assert now.orders["R.0"].status is Status.UNKNOWN
        assert (now.day.turnover, now.working("KO")) == (5000, (100, 0))

    @pytest.mark.parametrize(
        ("ending", "status"),
        [
            (cancelled(), Status.CANCELLED),
            (OrderRejected("R.0", D(0), "no", CLOSE), Status.BROKER_REJECTED),
            (OrderNotPlaced("R.0", CLOSE), Status.NOT_PLACED),
        ],
    )
    def test_what_the_broker_will_not_trade_is_given_back(self, ending, status):
        now = funded(submitted(), claimed(), ending)

        assert (now.orders["R.0"].status, now.day.turnover) == (status, 0)

    def test_only_what_was_not_traded_is_given_back(self):
        partly = [submitted(), claimed(), filled(30)]

        assert turnover(*partly, cancelled(30)) == 1500
        assert turnover(*partly, cancelled(40)) == 2000, "ten more executions are on their way"
        assert turnover(*partly, cancelled(40), filled(10, execution="x2")) == 2000

    def test_nothing_is_given_back_twice(self):
        assert turnover(submitted(), claimed(), cancelled(), cancelled()) == 0
        assert (
            turnover(submitted(), submitted(order_id="S.0"), claimed(), *[cancelled()] * 2) == 5000
        )

    def test_another_day_is_not_given_back_what_it_never_paid(self):
        """Decided at Monday's close for Tuesday, cancelled after Tuesday's: Monday paid for it."""
        tuesday = [submitted(), claimed(), bars(50, 100, day=1)]
        another = submitted(order_id="S.0", at=NEXT_CLOSE, session=TUESDAY + timedelta(days=1))

        assert turnover(*tuesday, another) == 5000
        assert turnover(*tuesday, another, cancelled(at=NEXT_CLOSE)) == 5000
        assert turnover(*tuesday, another, claimed("S.0", 2), cancelled(order_id="S.0")) == 0

    def test_what_trades_after_all_is_charged_after_all(self):
        """By two looks it never arrived; it did, and was filled, or asked back."""
        zombie = [submitted(), claimed(), OrderNotPlaced("R.0", CLOSE)]
        revived = OrderAccepted("R.0", "b1", D(0), CLOSE)

        assert turnover(*zombie) == 0
        assert turnover(*zombie, revived) == turnover(*zombie, filled()) == 5000
        assert turnover(*zombie, revived, cancelled(30)) == 1500

    def test_what_was_traded_beyond_the_order_is_charged(self):
        assert turnover(submitted(), claimed(), filled(), filled(20, execution="x2")) == 6000
        assert turnover(submitted(), claimed(), cancelled(), filled(20)) == 1000

    def test_an_execution_is_booked_in_the_order_and_in_the_ledger(self):
        now = funded(submitted(), claimed(), filled(30, 49, fee=1), filled(70, 51, "x2", fee=2))
        order = now.orders["R.0"]

        assert (order.status, order.filled, order.reported) == (Status.FILLED, 100, 100)
        assert (order.value, order.average_price, order.fees) == (5040, D("50.4"), 3)
        assert (now.ledger.cash, now.ledger.held("KO")) == (100_000 - 5043, 100)
        assert {x: booked.session for x, booked in now.executions.items()} == {
            "x1": MONDAY,
            "x2": MONDAY,
        }

    def test_an_execution_before_any_close_is_dated_by_the_broker(self):
        now = replay(Snapshot(), [Started(start(), CLOSE), filled(order_id="gone")])

        assert now.executions["x1"].session == NEXT_CLOSE.date()

    def test_an_execution_of_an_order_nobody_remembers_still_moves_the_book(self):
        now = funded(filled(order_id="gone"))

        assert (now.ledger.held("KO"), now.ledger.cash, now.invested) == (100, 95_000, True)

    def test_more_than_was_ordered_is_booked(self):
        now = funded(submitted(), claimed(), filled(), filled(20, execution="x2"))

        assert (now.ledger.held("KO"), now.orders["R.0"].working) == (120, 0)

    def test_a_command_that_is_over_leaves_memory_but_for_what_is_owed(self):
        done, owing = submitted(), submitted(order_id="R.1")
        now = funded(
            done, owing, claimed(), claimed("R.1", 2), cancelled(), cancelled(10, "R.1"),
            CommandFinished("R", (), CLOSE), CommandFinished("never heard of", (), CLOSE),
        )  # fmt: skip

        assert now.commands == {}
        assert list(now.orders) == ["R.1"]

    def test_what_can_not_happen_to_an_order_is_not_swallowed(self):
        with pytest.raises(ImpossibleTransition):
            funded(submitted(), OrderLost("R.0", "?", CLOSE))  # never sent, so never lost


class TestMoney:
    def test_a_deposit_is_no_profit_and_a_withdrawal_no_loss(self):
        now = funded(bars(50, 100, day=1, cash=80_000), CashMoved("deposit", D(100_000), "", CLOSE))
        assert (now.equity, now.day.start_equity) == (200_000, 200_000)
        assert (now.drawdown, now.high_water, now.closing) == (0.2, 200_000, 180_000)

        now = apply(now, CashMoved("withdraw", D(-100_000), "", CLOSE))
        assert (now.high_water, now.day.start_equity, now.closing) == (100_000, 100_000, 80_000)

    def test_a_dividend_is_income(self):
        now = funded(CashMoved("dividend", D(50), "KO", CLOSE))

        assert (now.ledger.income, now.ledger.flows) == (50, 100_000)
        assert (now.high_water, now.day.start_equity) == (100_000, 100_000)

    def test_an_account_that_was_emptied_starts_afresh(self):
        now = funded(
            CashMoved("withdraw", D(-100_000), "", CLOSE), CashMoved("deposit", D(10), "", CLOSE)
        )

        assert (now.high_water, now.equity) == (0, 10)
        assert apply(now, bars(50, 100, day=1, cash=10)).drawdown == 0.0

    def test_a_deposit_into_a_ruined_account_leaves_the_high_water_mark(self):
        now = funded(bars(50, 100, day=1, cash=0), CashMoved("adjustment", D(-100_000), "", CLOSE))

        assert apply(now, CashMoved("deposit", D(500), "", CLOSE)).high_water == 100_000

    def test_movements_that_the_paper_broker_has_to_make_are_kept(self):
        moves = [CashMoved("deposit", D(n), "", CLOSE, ref=f"r{n}") for n in range(300)]
        now = funded(*moves)

        assert len(now.cash_moves) == CASH_MOVES_KEPT
        assert list(now.cash_moves)[-1] == "r299"

    def test_units_that_came_without_a_trade_are_income_and_leave_cash_alone(self):
        now = funded(PositionAdjusted("KO", D(10), D(50), "a gift", CLOSE))

        assert (now.ledger.held("KO"), now.ledger.cash, now.ledger.income) == (10, 100_000, 500)
        assert now.ledger.positions["KO"].average_price == 50


class TestHalts:
    def test_a_halt_holds_for_its_scope_until_it_is_lifted(self):
        ko = Halted("symbol:KO", "odd", "TRADING_HALTED", "ann", CLOSE)
        now = funded(ko)

        assert now.halting("KO").reason == "odd"
        assert now.halting("PG") is now.halting() is None
        assert apply(now, Resumed("symbol:KO", "fine", "ann", CLOSE)).halting("KO") is None

    def test_an_accounts_halt_holds_for_every_symbol(self):
        now = funded(Halted("account", "drill", "TRADING_HALTED", "ann", CLOSE))

        assert now.halting("KO").scope == now.halting().scope == "account"

    @pytest.mark.parametrize(
        ("code", "high_water", "drawdown", "started"),
        [
            ("DRAWDOWN", 75_000, 0.0, 100_000),
            ("DAY_LOSS", 100_000, 0.25, 75_000),
            ("TRADING_HALTED", 100_000, 0.25, 100_000),
        ],
    )
    def test_after_a_loss_halt_that_loss_is_counted_afresh(
        self, code, high_water, drawdown, started
    ):
        lost = [CashMoved("adjustment", D(-25_000), "", CLOSE), bars(50, 100, day=1, cash=75_000)]
        halt = Halted("account", "loss", code, "risk", CLOSE)
        now = funded(*lost, halt, Resumed("account", "seen", "ann", CLOSE))

        assert (now.high_water, now.drawdown) == (high_water, drawdown)
        assert now.day.start_equity == started

    def test_lifting_what_is_not_in_force_changes_nothing(self):
        now = funded()
        after = apply(now, Resumed("account", "?", "ann", CLOSE))

        assert replace(after, seq=now.seq) == now
        assert apply(Snapshot(), Resumed("account", "?", "ann", CLOSE)).halts == {}


class TestPlans:
    @pytest.mark.parametrize(
        ("word", "state", "by"),
        [
            (PlanApproved("p", "ann", CLOSE), PlanState.APPROVED, "ann"),
            (PlanRejected("p", "bob", CLOSE), PlanState.REJECTED, "bob"),
            (PlanExecuted("p", "R", CLOSE), PlanState.EXECUTED, ""),
        ],
    )
    def test_a_plan_remembers_what_became_of_it(self, word, state, by):
        now = funded(PlanMade(plan("p"), CLOSE), word)

        assert (now.plans["p"].state, now.plans["p"].by) == (state, by)

    def test_who_approved_a_plan_is_still_known_when_it_was_executed(self):
        now = funded(
            PlanMade(plan("p"), CLOSE),
            PlanApproved("p", "ann", CLOSE),
            PlanExecuted("p", "R", CLOSE),
        )

        assert now.plans["p"].by == "ann"

    def test_only_the_latest_plans_are_kept_and_a_word_on_another_is_nothing(self):
        now = funded(*(PlanMade(plan(f"p{n}"), CLOSE) for n in range(60)))

        assert list(now.plans) == [f"p{n}" for n in range(60 - PLANS_KEPT, 60)]
        assert apply(now, PlanApproved("p0", "ann", CLOSE)).plans == now.plans

    def test_an_exemption_before_the_first_close_has_no_day_to_exempt(self):
        assert apply(Snapshot(), TurnoverExempted(MONDAY, CLOSE)).day is None


EVENTS = st.lists(
    st.sampled_from(
        [
            bars(50, 100),
            bars(55, 90, day=1, cash=90_000),
            CashMoved("deposit", D(7), "", CLOSE, ref="r"),
            PositionAdjusted("PG", D(-1), D(100), "", CLOSE),
            Halted("account", "", "DRAWDOWN", "risk", CLOSE),
            Resumed("account", "", "ann", CLOSE),
            ReconcileStarted(CLOSE),
            Reconciled((), CLOSE),
            filled(order_id="gone"),
            PlanMade(plan("p"), CLOSE),
            PlanApproved("p", "ann", CLOSE),
        ]
    )
)


@given(EVENTS, EVENTS)
def test_a_replay_can_be_taken_up_anywhere(first, second):
    """From the events, or from a snapshot saved on the way and read back."""
    begun = funded(submitted(), claimed())
    saved = msgspec.json.decode(msgspec.json.encode(replay(begun, first)), type=Snapshot)

    assert replay(begun, first + second) == replay(replay(begun, first), second)
    assert replay(saved, second) == replay(begun, first + second)
