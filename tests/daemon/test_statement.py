"""With a statement the books close what the gateway forgot, once, and show what is left."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from control.protocol import Reconcile, ReconcileStatement
from daemon.brokers.custodian import Custodian
from daemon.statement import missing
from state.command import AcceptDifference, RecordFill, SubmitOrder
from state.event import Booked, CashMoved, Difference, Halted, OrderFilled
from tests.desk import CONFIG, desk

QUIET = CONFIG.replace("[risk]", "[risk]\nmax_drawdown = 1.0\nmax_day_loss = 1.0")
NEW_YORK = ZoneInfo("America/New_York")


NEVER = datetime.max.replace(tzinfo=UTC)


class Forgetful(Custodian):
    """A broker that serves no executions any more."""

    async def book(self, since):
        told = await super().book(since)
        return replace(told, executions_from=NEVER)


@asynccontextmanager
async def invested(state):
    """Run a desk with 500 KO at 50 and 50,000 in cash, at a broker that forgets."""
    async with desk(state, config=QUIET, between=Forgetful, mode="live") as one:
        await one.close(50, 100)
        for symbol, quantity in (("KO", 500), ("PG", 250)):
            assert (await one.say(SubmitOrder("buy", symbol, D(quantity)), key=symbol)).ok
        await one.close(50, 100)
        assert one.now.ledger.cash == D(50_000)
        yield one


def trade(one, name, quantity, price, fee="1", minutes=1):
    at = (one.began + timedelta(minutes=minutes)).astimezone(NEW_YORK)
    return (
        f'<Trade currency="USD" assetCategory="STK" symbol="KO" quantity="{quantity}"'
        f' buySell="{"BUY" if quantity > 0 else "SELL"}" tradePrice="{price}"'
        f' ibCommission="-{fee}" dateTime="{at:%Y%m%d;%H%M%S}" ibExecID="{name}" />'
    )


def cash(one, ref, what, amount):
    at = one.began.astimezone(NEW_YORK) + timedelta(hours=1)
    return (
        f'<CashTransaction currency="USD" type="{what}" amount="{amount}"'
        f' transactionID="{ref}" dateTime="{at:%Y%m%d;%H%M%S}" />'
    )


def statement(one, *rows, account=None, years=0):
    day = one.began.astimezone(NEW_YORK) + timedelta(days=1 - 365 * years)
    return ReconcileStatement(
        f'<FlexStatement accountId="{account or one.broker.account}" fromDate="{day:%Y%m%d}"'
        f' toDate="{day:%Y%m%d}">{"".join(rows)}</FlexStatement>'
    )


async def begun(one):
    one.began = next(e.at for e in one.events(CashMoved) if e.kind == "initial")
    return one


async def test_a_day_that_the_gateway_forgot_is_closed_to_the_cent_and_once(tmp_path):
    async with invested(tmp_path) as one:
        await begun(one)
        one.behind.move("KO", D(10))
        one.behind.pay(D("4581.42"))  # -511 + 120.50 - 18.08 + 5000 - 10
        asked = statement(
            one,
            trade(one, "e1.01", 10, "51"),
            cash(one, "71", "Dividends", "120.5"),
            cash(one, "72", "Withholding Tax", "-18.08"),
            cash(one, "73", "Deposits/Withdrawals", "5000"),
            cash(one, "74", "Other Fees", "-10"),
        )
        for key in ("once", "twice"):
            reply = await one.say(asked, key=key)
            assert reply.ok, reply
            assert reply.data["differences"] == []
            assert one.now.ledger.held("KO") == 510
            assert one.now.ledger.cash == D("54581.42")
            assert (one.now.ledger.flows, one.now.pending) == (105_000, 0)
            assert [e.execution_id for e in one.events(OrderFilled)].count("e1") == 1
            assert len(one.events(CashMoved)) == 5  # with the initial
        assert one.events(Halted) == []


async def test_what_no_statement_explains_is_shown_and_halts(tmp_path):
    async with invested(tmp_path) as one:
        await begun(one)
        one.behind.move("KO", D(15))
        one.behind.pay(D(-511))
        reply = await one.say(statement(one, trade(one, "e1.01", 10, "51")), key="half")
        assert not reply.ok
        assert "KO" in {found["subject"] for found in reply.data["differences"]}
        assert one.events(Halted)
        assert one.now.ledger.held("KO") == 500  # nothing is booked that closes no difference


async def test_what_was_explained_without_it_is_not_booked_again(tmp_path):
    async with invested(tmp_path) as one:
        await begun(one)
        one.behind.move("KO", D(10))
        one.behind.pay(D(-510))
        await one.say(Reconcile(), key="look")
        assert (await one.say(AcceptDifference("adjustment", "by hand"), key="accept")).ok
        rows = trade(one, "e1.01", 10, "51"), cash(one, "7", "Dividends", "5000")
        reply = await one.say(statement(one, *rows), key="late")
        assert reply.ok, reply
        assert (one.now.ledger.held("KO"), one.now.ledger.cash) == (510, D(49_490))


async def test_small_cash_that_was_pending_gets_its_name(tmp_path):
    async with invested(tmp_path) as one:
        await begun(one)
        one.behind.pay(D(20))
        assert (await one.say(Reconcile(), key="look")).ok
        assert one.now.pending == 20
        reply = await one.say(statement(one, cash(one, "7", "Dividends", "20")), key="named")
        assert reply.ok, reply
        assert (one.now.pending, one.now.ledger.income, one.now.ledger.cash) == (0, 20, 50_020)


async def test_another_accounts_or_an_older_statement_is_refused(tmp_path):
    async with invested(tmp_path) as one:
        await begun(one)
        for asked, why in (
            (statement(one, account="DU9"), "of account DU9"),
            (statement(one, years=1), "this book begins"),
        ):
            reply = await one.say(asked, key=why)
            assert (reply.status, reply.error.code) == ("invalid", "STATEMENT_REFUSED")
            assert why in reply.error.message
            assert reply.error.hint


async def test_cash_that_a_statement_explained_explains_nothing_else(tmp_path):
    async with invested(tmp_path) as one:
        await begun(one)
        asked = statement(one, cash(one, "7", "Deposits/Withdrawals", "5000"))
        one.behind.pay(D(5000))
        assert (await one.say(asked, key="once")).ok
        one.behind.pay(D(5000))
        reply = await one.say(asked, key="again")
        assert not reply.ok
        assert one.events(Halted)
        assert one.now.ledger.cash == D(55_000)


def test_of_what_is_known_only_what_says_more_is_reported():
    at = datetime(2022, 1, 4, tzinfo=UTC)
    fill = RecordFill("e1", "EXT.9", "KO", D(10), D(51), D(1), at, revision=3)

    def known(revision):
        return {"e1": Booked(at.date(), "RID.0", "KO", D(10), D(51), D(0), at, revision)}

    (repaired,) = missing([fill], known(2), (), at)
    assert (repaired.order_id, repaired.fee) == ("RID.0", D(1))
    assert missing([fill], known(3), (), at) == []


def test_of_the_unknown_the_latest_that_close_the_gap_are_reported():
    at = datetime(2022, 1, 4, tzinfo=UTC)
    fills = [
        RecordFill(f"e{n}", f"EXT.{n}", "KO", D(q), D(51), D(1), at + timedelta(hours=n))
        for n, q in enumerate((7, 5, -2, 4))
    ]

    def reported(gap, began=at):
        found = (Difference("KO", D(0), D(gap)),)
        return [fill.execution_id for fill in missing(fills, {}, found, began)]

    assert reported(4) == ["e3"]
    assert reported(7) == ["e1", "e2", "e3"]
    assert reported(14) == ["e0", "e1", "e2", "e3"]
    assert reported(14, at + timedelta(minutes=1)) == []  # from before the book began
    assert reported(3) == []
