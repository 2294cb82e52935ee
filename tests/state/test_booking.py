"""What is booked is so: cash within what the account is worth, differences as they are now."""

from datetime import timedelta
from decimal import Decimal as D

import pytest
from msgspec.structs import replace

from state.apply import apply
from state.command import (
    AcceptDifference,
    Claim,
    CloseBars,
    MoveCash,
    RecordFill,
    RecordOpenOrder,
    RecordReconciliation,
    SubmitOrder,
)
from state.denial import Code
from state.event import CommandRefused, Difference, Started
from state.instrument import LARGEST
from state.order import EXTERNAL, Order, Status, request_id
from state.quote import Bar
from state.snapshot import Snapshot
from tests.given import (
    CLOSE,
    LIMITS,
    MONDAY,
    TUESDAY,
    asked,
    funded,
    kinds,
    start,
    the,
    told,
)

DAY = timedelta(days=1)
ORDER = f"{request_id('key')}.0"


def fill(quantity, execution="x1", order_id=ORDER):
    return RecordFill(execution, order_id, "KO", D(quantity), D(50), D(0), CLOSE)


class TestCash:
    def test_what_a_short_brought_in_cannot_be_taken_out(self):
        run = start(replace(LIMITS, allow_short=True, margin=True))
        now = asked(funded(run=run), SubmitOrder("sell", "KO", D(1000))).now
        now = told(told(now, Claim((ORDER,))).now, fill(-1000)).now
        assert (now.ledger.cash, now.equity) == (D(150_000), D(100_000))
        refusal = the(asked(now, MoveCash("withdraw", D(100_001)), key="w"), CommandRefused)
        assert refusal.denial.code is Code.INSUFFICIENT_CASH
        assert kinds(asked(now, MoveCash("withdraw", D(100_000)), key="w")) == ["CashMoved"]

    @pytest.mark.parametrize("kind", ["deposit", "dividend"])
    def test_more_than_the_journal_can_hold_is_refused(self, kind):
        course = asked(funded(), MoveCash(kind, LARGEST))
        assert the(course, CommandRefused).denial.code is Code.INVALID_QUANTITY
        assert course.now.ledger == funded().ledger


class TestOpening:
    """An account on which somebody traded before it was ever compared with the broker's."""

    def met(self):
        """Nobody knows yet what it began with: 100 KO were bought by hand, and lost a third."""
        now = apply(Snapshot(), Started(start(), CLOSE))
        now = told(now, fill(100, "theirs", "EXT.9")).now
        now = told(now, CloseBars(CLOSE, MONDAY, (Bar("KO", D(60)),))).now
        return told(now, CloseBars(CLOSE + DAY, TUESDAY, (Bar("KO", D(40)),)))

    def test_the_brokers_cash_already_knows_of_those_trades(self):
        now = told(self.met().now, RecordReconciliation(opening=D(100_000))).now
        assert (now.ledger.cash, now.equity, now.ledger.held("KO")) == (D(95_000), D(99_000), 100)
        assert now.reconciled

    def test_what_traded_between_the_brokers_answer_and_its_booking_counts_once(self):
        between = told(self.met().now, fill(20, "meanwhile", "EXT.10")).now
        now = told(between, RecordReconciliation(opening=D(100_000))).now
        assert (now.ledger.cash, now.ledger.held("KO")) == (D(94_000), 120)

    def test_no_loss_is_measured_before(self):
        course = self.met()
        assert kinds(course) == ["BarsClosed"]
        assert (course.now.halts, course.now.high_water) == ({}, 0)


class TestAccepting:
    def test_a_difference_that_is_no_longer_so_is_not_booked(self):
        now = told(funded(), RecordReconciliation((Difference("KO", D(0), D(5)),))).now
        now = told(now, fill(5, "late", "GONE.0")).now  # the execution that explains it
        course = asked(now, AcceptDifference("adjustment", "who knows"), key="a")
        assert the(course, CommandRefused).denial.code is Code.POSITIONS_CHANGED
        assert course.now.ledger.held("KO") == D(5)
        assert not course.now.reconciled


class TestOrdersOfOthers:
    ORDER = Order(
        order_id="EXT.P-1",
        rid="EXT",
        symbol="KO",
        quantity=D(11),
        status=Status.LIVE,
        created_at=CLOSE,
        session=MONDAY,
        price=D(50),
        limit_price=None,
        source=EXTERNAL,
        broker_id="P-1",
    )

    def after(self, filled):
        """What is known after an execution of it, and then of the list that had it open."""
        fill = RecordFill("P-1.1", "EXT.P-1", "KO", D(filled), D(50), D(0), CLOSE)
        return told(told(funded(), fill).now, RecordOpenOrder(self.ORDER))

    def test_what_filled_before_it_was_adopted_is_counted(self):
        course = self.after(4)

        assert kinds(course) == ["OrderAdopted"]
        assert course.now.orders["EXT.P-1"].filled == D(4)

    def test_what_filled_whole_while_its_list_was_on_the_way_is_not_adopted(self):
        assert kinds(self.after(11)) == []
