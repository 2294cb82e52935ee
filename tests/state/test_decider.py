"""What follows from what: commands in, events out."""

from decimal import Decimal as D

import pytest
from msgspec.structs import replace

from state.command import (
    AcceptDifference,
    ApprovePlan,
    CancelOrders,
    Claim,
    CloseBars,
    ExecutePlan,
    Halt,
    HaltForDisk,
    MakePlan,
    MoveCash,
    Rebalance,
    RecordFill,
    RecordReconciliation,
    RecordStart,
    RecordStatus,
    RejectPlan,
    ReportKind,
    Resume,
    Shutdown,
    StatedSplit,
    SubmitOrder,
)
from state.decider import decide
from state.denial import Code
from state.event import (
    BarsClosed,
    CashMoved,
    CommandFinished,
    CommandRefused,
    CommandSkipped,
    Difference,
    Halted,
    OrderClaimed,
    OrderDenied,
    OrderStopped,
    OrderSubmitted,
    PlanMade,
)
from state.headroom import day_loss
from state.order import Status, request_id
from state.quote import Bar, Missed
from state.settings import Limits
from state.snapshot import Snapshot
from state.unfolding import Unavailable
from tests.given import (
    CLOSE,
    LIMITS,
    MOMENT,
    MONDAY,
    TUESDAY,
    WALL,
    asked,
    bars,
    cause,
    funded,
    kinds,
    start,
    the,
    told,
    unavailable,
)

BUY = SubmitOrder("buy", "KO", D(100))
ORDER = f"{request_id('key')}.0"


def bought(quantity: object = 100, price: object = 50) -> Snapshot:
    """Return an account that bought KO and holds it."""
    now = asked(funded(), SubmitOrder("buy", "KO", D(str(quantity)))).now
    now = told(now, Claim((ORDER,))).now
    return told(now, fill(quantity, price)).now


def fill(quantity: object, price: object = 50, execution: str = "x1", order_id: str = ORDER):
    return RecordFill(execution, order_id, "KO", D(str(quantity)), D(str(price)), D(0), CLOSE)


class TestOneOrder:
    def test_an_order_within_limits_is_submitted_for_the_next_session(self):
        course = asked(funded(), BUY)
        assert kinds(course) == ["OrderSubmitted"]
        order = course.now.orders[ORDER]
        assert (order.quantity, order.price, order.session) == (D(100), D(50), TUESDAY)
        assert order.order_ref == f"TM1.{request_id('key')}.0"

    def test_a_sale_is_negative(self):
        course = asked(bought(), SubmitOrder("sell", "KO", D(40)), key="sale")
        assert the(course, OrderSubmitted).quantity == D(-40)

    def test_a_denied_order_refuses_its_command_with_the_gates_reason(self):
        course = asked(funded(), SubmitOrder("buy", "XX", D(1)))
        assert kinds(course) == ["OrderDenied", "CommandRefused"]
        assert the(course, CommandRefused).denial.code is Code.UNKNOWN_SYMBOL
        assert the(course, OrderDenied).denial == the(course, CommandRefused).denial
        assert not course.now.orders

    def test_with_the_feed_at_its_end_there_is_nothing_to_do(self):
        course = asked(funded(), BUY, replace(MOMENT, target=None, feed_ended=True))
        assert the(course, CommandSkipped).code == "FEED_ENDED"

    def test_while_the_market_is_closed_an_order_for_now_is_skipped(self):
        course = asked(funded(), BUY, replace(MOMENT, target=None))
        assert the(course, CommandSkipped).code == "MARKET_CLOSED"


class TestSending:
    def test_a_claim_gives_an_id_never_used_before(self):
        course = told(asked(funded(), BUY).now, Claim((ORDER,), floor=7))
        assert the(course, OrderClaimed).broker_oid == 7
        assert course.now.next_oid == 8
        assert course.now.orders[ORDER].status is Status.SENDING

    def test_an_order_is_claimed_once(self):
        now = told(asked(funded(), BUY).now, Claim((ORDER,))).now
        assert kinds(told(now, Claim((ORDER,)))) == []

    def test_a_halt_between_submit_and_claim_stops_the_order(self):
        now = asked(funded(), BUY).now
        now = replace(now, halts=asked(funded(), Halt("stop"), key="h").now.halts)
        course = told(now, Claim((ORDER,)))
        assert the(course, OrderStopped).why == "halted"
        assert the(course, CommandFinished).orders[0].status is Status.HALTED

    def test_an_order_whose_session_is_over_is_not_sent(self):
        now = asked(funded(), BUY).now
        course = told(replace(now, session=TUESDAY), Claim((ORDER,)))
        assert the(course, OrderStopped).why == "expired"

    def test_while_the_books_are_compared_an_order_waits(self):
        now = replace(asked(funded(), BUY).now, reconciled=False)
        course = told(now, Claim((ORDER,)))
        assert kinds(course) == []
        assert course.now.orders[ORDER].status is Status.PENDING


class TestFills:
    def test_an_execution_moves_the_book_and_finishes_the_command(self):
        now = told(asked(funded(), BUY).now, Claim((ORDER,))).now
        course = told(now, fill(100))
        assert kinds(course) == ["OrderFilled", "CommandFinished"]
        assert course.now.ledger.cash == D(95_000)
        assert course.now.ledger.held("KO") == D(100)
        assert not course.now.orders
        assert not course.now.commands

    def test_the_same_execution_twice_is_once(self):
        now = bought()
        assert kinds(told(now, fill(100))) == []

    def test_a_part_leaves_the_rest_working(self):
        now = told(asked(funded(), BUY).now, Claim((ORDER,))).now
        course = told(now, fill(30))
        assert kinds(course) == ["OrderFilled"]
        assert course.now.orders[ORDER].working == D(70)

    def test_a_cancel_that_overtakes_its_executions_keeps_their_exposure(self):
        now = told(asked(funded(), BUY).now, Claim((ORDER,))).now
        now = told(now, RecordStatus(ORDER, ReportKind.CANCELLED, filled=D(60))).now
        assert now.orders[ORDER].status is Status.CANCELLED
        assert now.orders[ORDER].working == D(60)
        course = told(now, fill(60))
        assert kinds(course) == ["OrderFilled", "CommandFinished"]
        assert the(course, CommandFinished).orders[0].filled == D(60)

    def test_more_than_was_ordered_is_booked_and_halts(self):
        now = told(asked(funded(), BUY).now, Claim((ORDER,))).now
        course = told(now, fill(150))
        assert course.now.ledger.held("KO") == D(150)
        assert the(course, Halted).code == "OVERFILLED"

    def test_a_late_execution_of_a_forgotten_order_still_moves_the_book(self):
        course = told(bought(), fill(10, execution="x9"))
        assert kinds(course) == ["OrderFilled"]
        assert course.now.ledger.held("KO") == D(110)


class TestWhatTheBrokerSays:
    @pytest.mark.parametrize(
        ("said", "status"),
        [
            pytest.param(ReportKind.ACCEPTED, Status.LIVE, id="accepted"),
            pytest.param(ReportKind.REJECTED, Status.BROKER_REJECTED, id="rejected"),
            pytest.param(ReportKind.CANCELLED, Status.CANCELLED, id="cancelled"),
            pytest.param(ReportKind.LOST, Status.UNKNOWN, id="lost"),
            pytest.param(ReportKind.NOT_SEEN, Status.NOT_PLACED, id="never arrived"),
        ],
    )
    def test_an_order_in_doubt_becomes(self, said, status):
        now = told(asked(funded(), BUY).now, Claim((ORDER,))).now
        course = told(now, RecordStatus(ORDER, said, "P1"))
        last = course.now.orders.get(ORDER) or the(course, CommandFinished).orders[0]
        assert last.status is status

    def test_repeats_and_unknown_orders_change_nothing(self):
        now = told(asked(funded(), BUY).now, Claim((ORDER,))).now
        now = told(now, RecordStatus(ORDER, ReportKind.ACCEPTED, "P1")).now
        assert kinds(told(now, RecordStatus(ORDER, ReportKind.ACCEPTED, "P1"))) == []
        assert kinds(told(now, RecordStatus("nobody.0", ReportKind.ACCEPTED))) == []

    def test_what_cannot_follow_is_dropped(self):
        now = told(asked(funded(), BUY).now, Claim((ORDER,))).now
        now = told(now, RecordStatus(ORDER, ReportKind.ACCEPTED)).now
        assert kinds(told(now, RecordStatus(ORDER, ReportKind.NOT_SEEN))) == []


class TestCancelling:
    def test_what_was_never_sent_is_over_at_once(self):
        course = asked(asked(funded(), BUY).now, CancelOrders(ORDER), key="c")
        assert kinds(course) == ["OrderStopped", "CommandFinished"]

    def test_what_was_sent_is_asked_back_and_stays_open(self):
        now = told(asked(funded(), BUY).now, Claim((ORDER,))).now
        course = asked(now, CancelOrders(), key="c")
        assert kinds(course) == ["CancelRequested"]
        assert course.now.orders[ORDER].status is Status.PENDING_CANCEL
        again = asked(course.now, CancelOrders(), key="c2")
        assert kinds(again) == []

    def test_nothing_open_is_nothing_to_do(self):
        assert the(asked(funded(), CancelOrders()), CommandSkipped).code == "NO_OPEN_ORDERS"

    def test_an_unknown_order_is_not_found(self):
        assert unavailable(funded(), CancelOrders("nobody.0")).kind == "not_found"

    def test_a_final_order_is_refused(self):
        now = told(asked(funded(), BUY).now, Claim((ORDER,))).now
        now = told(now, RecordStatus(ORDER, ReportKind.CANCELLED, filled=D(60))).now
        course = asked(now, CancelOrders(ORDER), key="c")
        assert the(course, CommandRefused).denial.code is Code.ORDER_FINAL


class TestHalting:
    def test_a_halt_asks_open_orders_back(self):
        now = told(asked(funded(), BUY).now, Claim((ORDER,))).now
        course = asked(now, Halt("drill"), key="h")
        assert kinds(course) == ["Halted", "CancelRequested"]
        assert course.now.halting().reason == "drill"

    def test_nothing_is_submitted_while_halted(self):
        now = asked(funded(), Halt("drill"), key="h").now
        course = asked(now, BUY)
        assert the(course, CommandRefused).denial.code is Code.TRADING_HALTED

    def test_halting_twice_is_one_halt(self):
        now = asked(funded(), Halt("drill"), key="h").now
        assert the(asked(now, Halt("again"), key="h2"), CommandSkipped).code == "ALREADY_HALTED"

    def test_a_symbol_can_be_halted_alone(self):
        now = asked(funded(), Halt("news", scope="symbol:KO"), key="h").now
        assert the(asked(now, BUY), OrderDenied).denial.code is Code.TRADING_HALTED
        assert kinds(asked(now, SubmitOrder("buy", "PG", D(1)), key="pg")) == ["OrderSubmitted"]

    @pytest.mark.parametrize("scope", ["symbol:XX", "desk", "symbol:"])
    def test_a_scope_nobody_knows_is_invalid(self, scope):
        assert unavailable(funded(), Halt("x", scope=scope)).code == "UNKNOWN_SCOPE"

    def test_flatten_closes_what_is_held_although_halted(self):
        course = asked(bought(), Halt("out", flatten=True), key="h")
        assert kinds(course) == ["Halted", "OrderSubmitted"]
        order = the(course, OrderSubmitted)
        assert (order.quantity, order.source) == (D(-100), "flatten")
        again = asked(course.now, Halt("out", flatten=True), key="h2")
        assert kinds(again) == []  # the working order closes it already

    def test_a_flattening_order_is_claimed_although_halted(self):
        course = asked(bought(), Halt("out", flatten=True), key="h")
        order = the(course, OrderSubmitted)
        assert kinds(told(course.now, Claim((order.order_id,)))) == ["OrderClaimed"]

    def test_resuming_wants_a_name_and_lifts_the_halt(self):
        now = asked(funded(), Halt("drill"), key="h").now
        nobody = asked(now, Resume("ok", accept_risk=" "), key="r")
        assert the(nobody, CommandRefused).denial.code is Code.RISK_NOT_ACCEPTED
        course = asked(now, Resume("ok", accept_risk="ann"), key="r2")
        assert kinds(course) == ["Resumed"]
        assert course.now.halting() is None

    def test_resuming_what_is_not_halted_is_nothing_to_do(self):
        course = asked(funded(), Resume("ok", accept_risk="ann"))
        assert the(course, CommandSkipped).code == "NOT_HALTED"

    def test_while_books_differ_a_reconcile_halt_stays(self):
        found = RecordReconciliation((Difference("KO", D(0), D(5)),))
        now = told(funded(), found).now
        course = asked(now, Resume("ok", accept_risk="ann"))
        assert the(course, CommandRefused).denial.code is Code.RECONCILE_PENDING

    def test_a_full_disk_halts_and_resumes_by_itself(self):
        course = told(funded(), HaltForDisk(full=True, detail="full"))
        assert the(course, Halted).code == Code.DISK_FULL
        assert kinds(told(course.now, HaltForDisk(full=True))) == []
        assert kinds(told(course.now, HaltForDisk(full=False))) == ["Resumed"]

    def test_room_on_the_disk_does_not_lift_another_halt(self):
        now = asked(funded(), Halt("drill"), key="h").now
        assert kinds(told(now, HaltForDisk(full=False))) == []


def close(ko, pg, day=1, targets=None):
    event = bars(ko, pg, day=day)
    return CloseBars(event.at, event.session, event.bars, targets)


class TestCloses:
    def test_a_close_marks_the_book(self):
        course = told(bought(), close(60, 100))
        event = the(course, BarsClosed)
        assert (event.equity, event.cash) == (D(101_000), D(95_000))
        assert event.gross == event.net == pytest.approx(6000 / 101_000)
        assert course.now.price("KO") == D(60)

    def test_a_close_that_came_before_is_dropped(self):
        assert kinds(told(funded(), close(60, 100, day=0))) == []

    def test_bars_that_never_came_are_on_record_before_what_was_decided_without_them(self):
        lost = (Missed(MONDAY, ("KO", "PG")), Missed(TUESDAY, ("PG",)))
        course = told(funded(), replace(close(60, 100, day=2), missed=lost))
        assert kinds(course) == ["BarsMissed", "BarsMissed", "BarsClosed"]
        assert [(e.session, e.symbols) for e in course.events[:2]] == [
            (MONDAY, ("KO", "PG")),
            (TUESDAY, ("PG",)),
        ]

    def test_unsent_orders_of_the_session_expire(self):
        course = told(asked(funded(), BUY).now, close(50, 100))
        assert kinds(course) == ["OrderStopped", "BarsClosed", "CommandFinished"]

    def test_a_holding_without_a_bar_keeps_its_last_price(self):
        event = bars(50, 101, day=1)
        only_pg = CloseBars(event.at, event.session, (Bar("PG", D(101)),))
        assert the(told(bought(), only_pg), BarsClosed).equity == D(100_000)

    def test_a_drawdown_at_its_limit_halts(self):
        limits = Limits(max_drawdown=0.02, max_day_loss=1.0, max_position_weight=1.0)
        now = funded(run=start(limits))
        now = told(asked(now, SubmitOrder("buy", "KO", D(1000))).now, Claim((ORDER,))).now
        now = told(now, fill(1000)).now
        course = told(now, close(48, 100))
        halt = the(course, Halted)
        assert (halt.code, halt.actor) == (Code.DRAWDOWN, "risk")
        assert "2.00%" in halt.reason
        assert kinds(told(course.now, close(40, 100, day=2))) == ["BarsClosed"]

    def test_a_days_loss_at_its_limit_halts_and_a_new_day_does_not_lift_it(self):
        limits = Limits(max_day_loss=0.01, max_drawdown=1.0, max_position_weight=1.0)
        now = funded(run=start(limits))
        now = told(asked(now, SubmitOrder("buy", "KO", D(1000))).now, Claim((ORDER,))).now
        now = told(told(now, fill(1000)).now, close(49, 100)).now
        assert now.halting().code == Code.DAY_LOSS
        assert told(now, close(49, 100, day=2)).now.halting() is not None

    def test_losses_are_counted_afresh_after_somebody_resumed(self):
        limits = Limits(max_drawdown=0.02, max_day_loss=1.0, max_position_weight=1.0)
        now = funded(run=start(limits))
        now = told(asked(now, SubmitOrder("buy", "KO", D(1000))).now, Claim((ORDER,))).now
        now = told(told(now, fill(1000)).now, close(48, 100)).now
        now = asked(now, Resume("seen", accept_risk="ann"), key="r").now
        assert now.drawdown == 0
        assert kinds(told(now, close("47.9", 100, day=2))) == ["BarsClosed"]


class TestCash:
    def test_a_deposit_is_no_profit(self):
        course = asked(funded(), MoveCash("deposit", D(5000)))
        assert course.now.ledger.cash == D(105_000)
        assert course.now.ledger.flows == D(105_000)
        assert course.now.high_water == D(105_000)
        assert day_loss(course.now, course.now.equity) == 0

    def test_a_dividend_is(self):
        course = asked(funded(), MoveCash("dividend", D(5)))
        assert (course.now.ledger.income, course.now.ledger.flows) == (D(5), D(100_000))

    @pytest.mark.parametrize("amount", ["0", "-1", "1e30", "NaN"])
    def test_an_amount_must_be_money(self, amount):
        course = asked(funded(), MoveCash("deposit", D(amount)))
        assert the(course, CommandRefused).denial.code is Code.INVALID_QUANTITY

    def test_no_more_than_the_cash_can_be_withdrawn(self):
        course = asked(funded(), MoveCash("withdraw", D(100_001)))
        assert the(course, CommandRefused).denial.code is Code.INSUFFICIENT_CASH
        assert asked(funded(), MoveCash("withdraw", D(100_000))).now.ledger.cash == 0

    def test_before_the_broker_said_what_there_is_no_cash_moves(self):
        now = Snapshot(start=start())
        assert unavailable(now, MoveCash("deposit", D(1))).code == Code.RECONCILE_PENDING

    def test_live_cash_moves_at_the_broker(self):
        now = funded(run=start(mode="live"))
        course = asked(now, MoveCash("deposit", D(1)))
        assert the(course, CommandRefused).denial.code is Code.NOT_PAPER


class TestBooksCompared:
    def test_the_first_comparison_adopts_the_brokers_cash(self):
        course = told(Snapshot(start=start()), RecordReconciliation(opening=D(1000)))
        assert kinds(course) == ["CashMoved", "Reconciled"]
        assert course.now.ledger.cash == D(1000)
        assert course.now.reconciled

    def test_books_that_agree_again_say_nothing(self):
        assert kinds(told(funded(), RecordReconciliation())) == []
        assert kinds(told(funded(), RecordReconciliation(looked=True))) == []

    def test_nothing_is_sent_from_the_start_of_a_comparison(self):
        course = told(funded(), RecordReconciliation(started=True))
        assert not course.now.reconciled
        assert unavailable(course.now, Rebalance()).code == Code.RECONCILE_PENDING

    def test_what_a_comparison_keeps_waiting_is_not_refused_for_ever(self):
        now = asked(funded(), MakePlan(), key="p").now
        (plan,) = now.plans
        comparing = told(now, RecordReconciliation(started=True)).now
        for command in (SubmitOrder("buy", "KO", D(1)), ExecutePlan(plan)):
            assert unavailable(comparing, command).code == Code.RECONCILE_PENDING
            assert kinds(asked(now, command))

    def test_before_the_first_price_an_order_waits(self):
        now = told(Snapshot(start=start()), RecordReconciliation(opening=D(1000))).now
        assert unavailable(now, SubmitOrder("buy", "KO", D(1))).code == "NO_PRICES"

    def test_what_is_halted_is_refused_while_the_books_are_compared(self):
        halted = asked(funded(), Halt("drill"), key="h").now
        comparing = told(halted, RecordReconciliation(started=True)).now
        course = asked(comparing, SubmitOrder("buy", "KO", D(1)))
        assert the(course, CommandRefused).denial.code is Code.TRADING_HALTED

    def test_a_difference_halts_once(self):
        found = RecordReconciliation((Difference("KO", D(0), D(5)),))
        course = told(funded(), found)
        assert kinds(course) == ["Reconciled", "Halted"]
        assert "KO ours 0, broker 5" in the(course, Halted).reason
        assert "Halted" not in kinds(told(course.now, found))

    @pytest.mark.parametrize(
        "stale",
        [
            Difference("KO", D(5), D(10)),
            Difference("cash", D(99_000), D(100_000)),
            Difference("PG", D(1), D(0)),
        ],
    )
    @pytest.mark.parametrize("more", [(), (Difference("XX", D(0), D(5)),)])
    def test_nothing_is_decided_of_books_that_changed_since_they_were_compared(self, stale, more):
        found = RecordReconciliation(
            (*more, stale), splits=(StatedSplit("81", "KO", D(2), D(1), "2 for 1"),)
        )
        why = decide(funded(), found, MOMENT)
        assert isinstance(why, Unavailable), why
        assert why.code == Code.POSITIONS_CHANGED
        assert stale.subject in why.message

    def test_an_explained_difference_is_booked(self):
        found = (Difference("KO", D(0), D(5)), Difference("cash", D(100_000), D(100_010)))
        now = told(funded(), RecordReconciliation(found)).now
        course = asked(now, AcceptDifference("adjustment", "found in the drawer"))
        assert kinds(course) == ["PositionAdjusted", "CashMoved", "Reconciled"]
        assert course.now.ledger.held("KO") == D(5)
        assert course.now.ledger.cash == D(100_010)
        assert course.now.ledger.income == D(260)  # five at 50, and ten in cash
        assert course.now.reconciled

    @pytest.mark.parametrize("kind", ["dividend", "deposit", "withdrawal"])
    def test_units_are_no_cash(self, kind):
        now = told(funded(), RecordReconciliation((Difference("KO", D(0), D(5)),))).now
        course = asked(now, AcceptDifference(kind, "?"))
        assert the(course, CommandRefused).denial.code is Code.KIND_MISMATCH

    def test_a_dividend_that_took_cash_away_is_none(self):
        found = (Difference("cash", D(100_000), D(99_990)),)
        now = told(funded(), RecordReconciliation(found)).now
        refused = asked(now, AcceptDifference("dividend", "?"))
        assert the(refused, CommandRefused).denial.code is Code.KIND_MISMATCH
        course = asked(now, AcceptDifference("withdrawal", "rent"), key="k2")
        assert the(course, CashMoved).kind == "withdraw"
        assert course.now.ledger.flows == D(99_990)

    def test_units_nobody_can_price_are_not_booked(self):
        now = told(funded(), RecordReconciliation((Difference("XX", D(0), D(5)),))).now
        refused = the(asked(now, AcceptDifference("adjustment", "?")), CommandRefused)
        assert refused.denial.code is Code.NO_PRICE

    def test_nothing_to_accept(self):
        course = asked(funded(), AcceptDifference("deposit", "?"))
        assert the(course, CommandSkipped).code == "NO_DIFFERENCE"


class TestPlans:
    def planned(self, now=None, **words):
        course = asked(now or funded(), MakePlan(**words), key="plan")
        return course.now, the(course, PlanMade).plan

    def test_a_plan_is_stored_and_submits_nothing(self):
        now, plan = self.planned()
        assert [(line.symbol, line.quantity) for line in plan.lines] == [
            ("KO", D(1000)),
            ("PG", D(250)),
        ]
        assert not now.orders
        assert plan.turnover == pytest.approx(0.75)

    def test_executing_does_exactly_the_plan_once(self):
        now, plan = self.planned()
        course = asked(now, ExecutePlan(plan.plan_id), key="go")
        orders = [e for e in course.events if isinstance(e, OrderSubmitted)]
        assert [(o.symbol, o.quantity) for o in orders] == [("KO", D(1000)), ("PG", D(250))]
        again = asked(course.now, ExecutePlan(plan.plan_id), key="go2")
        assert the(again, CommandRefused).denial.code is Code.PLAN_EXECUTED

    def test_the_next_close_ends_a_replayed_plan(self):
        now, plan = self.planned()
        now = told(now, close(50, 100)).now
        course = asked(now, ExecutePlan(plan.plan_id), key="go")
        assert the(course, CommandRefused).denial.code is Code.PLAN_EXPIRED

    def test_live_the_wall_clock_ends_it(self):
        now, plan = self.planned(funded(run=start(mode="paper")), ttl=60.0)
        later = replace(MOMENT, wall=plan.expires_at)
        course = asked(now, ExecutePlan(plan.plan_id), later, key="go")
        assert the(course, CommandRefused).denial.code is Code.PLAN_EXPIRED
        assert plan.expires_at.timestamp() - WALL.timestamp() == 60

    def test_a_changed_position_refuses_it(self):
        now, plan = self.planned(bought())
        held = {**now.ledger.positions}
        held.pop("KO")
        now = replace(now, ledger=replace(now.ledger, positions=held))
        course = asked(now, ExecutePlan(plan.plan_id), key="go")
        assert the(course, CommandRefused).denial.code is Code.POSITIONS_CHANGED

    def test_prices_beyond_the_tolerance_refuse_it(self):
        now, plan = self.planned(funded(run=start(mode="paper")))
        moved = told(now, close("50.6", 100)).now
        course = asked(moved, ExecutePlan(plan.plan_id), key="go")
        assert the(course, CommandRefused).denial.code is Code.PRICES_MOVED
        near = told(now, close("50.4", 100)).now
        assert "PlanExecuted" in kinds(asked(near, ExecutePlan(plan.plan_id), key="go"))

    def test_approval_can_be_required(self):
        now, plan = self.planned()
        wanted = ExecutePlan(plan.plan_id, require_approval=True)
        assert unavailable(now, wanted).code == Code.APPROVAL_MISSING
        now = asked(now, ApprovePlan(plan.plan_id), key="yes").now
        assert now.plans[plan.plan_id].by == "ann"
        assert "PlanExecuted" in kinds(asked(now, wanted, key="go"))

    def test_a_rejected_plan_is_dead(self):
        now, plan = self.planned()
        now = asked(now, RejectPlan(plan.plan_id), key="no").now
        for command in (ExecutePlan(plan.plan_id), ApprovePlan(plan.plan_id)):
            course = asked(now, command, key="go")
            assert the(course, CommandRefused).denial.code is Code.PLAN_REJECTED

    @pytest.mark.parametrize("command", [ExecutePlan("nope"), ApprovePlan("nope")])
    def test_an_unknown_plan_is_not_found(self, command):
        assert unavailable(funded(), command).kind == "not_found"

    def test_a_plan_made_while_halted_shows_what_is_denied(self):
        now = asked(funded(), Halt("drill"), key="h").now
        _, plan = self.planned(now)
        assert {denial.code for denial in plan.denied} == {Code.TRADING_HALTED}
        course = asked(
            asked(now, MakePlan(), key="p").now, ExecutePlan(request_id("p")[:12].lower()), key="go"
        )
        assert the(course, CommandRefused).denial.code is Code.TRADING_HALTED

    def test_a_plan_with_nothing_in_it_executes_to_nothing(self):
        now = replace(funded(), targets={"KO": 0.0, "PG": 0.0})
        now, plan = self.planned(now)
        assert plan.lines == ()
        assert the(asked(now, ExecutePlan(plan.plan_id)), CommandSkipped).code == "AT_TARGET"

    def test_a_plan_without_a_session_waits_for_none(self):
        now, plan = self.planned()
        closed = replace(MOMENT, target=None)
        course = asked(now, ExecutePlan(plan.plan_id), closed, key="go")
        assert the(course, CommandSkipped).code == "MARKET_CLOSED"


class TestRebalancing:
    def test_it_plans_and_submits_in_one_step(self):
        course = asked(funded(), Rebalance())
        assert kinds(course) == [
            "TurnoverExempted",
            "OrderSubmitted",
            "OrderSubmitted",
            "PlanMade",
            "PlanExecuted",
        ]

    def test_only_narrows_it(self):
        course = asked(funded(), Rebalance(only=("PG",)))
        assert the(course, OrderSubmitted).symbol == "PG"

    def test_at_target_there_is_nothing_to_do(self):
        now = replace(funded(), targets={"KO": 0.0, "PG": 0.0})
        assert the(asked(now, Rebalance()), CommandSkipped).code == "AT_TARGET"

    def test_a_halted_account_refuses(self):
        now = asked(funded(), Halt("drill"), key="h").now
        assert the(asked(now, Rebalance()), CommandRefused).denial.code is Code.TRADING_HALTED

    def test_without_a_session_it_is_skipped(self):
        course = asked(funded(), Rebalance(), replace(MOMENT, target=None, feed_ended=True))
        assert kinds(course) == ["CommandSkipped"]

    def test_when_the_gate_denies_everything_it_is_refused(self):
        limits = replace(LIMITS, restricted=("KO", "PG"))
        course = asked(funded(run=start(limits)), Rebalance())
        assert the(course, CommandRefused).denial.code is Code.RESTRICTED_SYMBOL

    @pytest.mark.parametrize(
        ("now", "code"),
        [
            pytest.param(Snapshot(), "NO_PRICES", id="nothing was started"),
            pytest.param(replace(funded(), targets=None), Code.NO_TARGETS, id="no targets yet"),
            pytest.param(
                replace(funded(), undecided="it raised"),
                Code.TARGETS_STALE,
                id="the strategy failed since",
            ),
            pytest.param(
                replace(bought(), marks={}), Code.NO_PRICE, id="a holding without a price"
            ),
        ],
    )
    def test_it_is_not_ready_when(self, now, code):
        assert unavailable(now, Rebalance()).code == code
        assert unavailable(now, MakePlan()).kind == "not_ready"

    def test_a_symbol_outside_the_universe_is_invalid(self):
        assert unavailable(funded(), Rebalance(only=("XX",))).kind == "invalid"

    def test_the_first_investment_is_exempt_from_the_days_turnover_once(self):
        limits = replace(LIMITS, max_day_turnover=0.1)
        course = asked(funded(run=start(limits)), Rebalance())
        assert kinds(course).count("OrderSubmitted") == 2
        assert course.now.day.exempt
        assert course.now.day.turnover == D(75_000)


def test_a_run_begins_with_its_settings_on_record():
    course = told(Snapshot(), RecordStart(start()))
    assert kinds(course) == ["Started"]
    assert course.now.instruments.keys() == {"KO", "PG"}
    assert not course.now.reconciled


def test_a_shutdown_is_on_record():
    assert kinds(asked(funded(), Shutdown())) == ["ShutdownRequested"]


def test_a_clients_command_needs_its_cause():
    with pytest.raises(ValueError, match="without its cause"):
        told(funded(), BUY)
    assert cause().rid == request_id("key")


def test_what_comes_back_unfilled_gives_the_days_turnover_back():
    now = told(asked(funded(), BUY).now, Claim((ORDER,))).now
    assert now.day.turnover == D(5000)
    now = told(now, fill(40)).now
    now = told(now, RecordStatus(ORDER, ReportKind.CANCELLED, filled=D(40))).now
    assert now.day.turnover == D(2000)
    assert now.day.session == MONDAY


def test_an_execution_id_is_remembered_long_enough_and_not_for_ever():
    now = bought()
    assert "x1" in now.executions
    for day in (1, 20):
        now = told(now, close(50, 100, day=day)).now
    assert "x1" not in now.executions
