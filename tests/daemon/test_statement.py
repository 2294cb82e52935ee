"""With a statement the books close what the gateway forgot, once, and show what is left."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from functools import partial
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from control.protocol import Reconcile, ReconcileStatement
from daemon.brokers.custodian import Custodian
from daemon.recovery import compare
from daemon.statement import missing
from state.command import AcceptDifference, ExpectDifference, RecordFill, SubmitOrder
from state.event import Booked, CashMoved, Difference, Halted, OrderFilled, SplitBooked
from tests.daemon.test_recovery import before_the_outcome
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


def action(one, kind, symbol, said, quantity, ref="81"):
    at = one.began.astimezone(NEW_YORK) + timedelta(hours=2)
    return (
        f'<CorporateAction currency="USD" type="{kind}" symbol="{symbol}" quantity="{quantity}"'
        f' actionDescription="{said}" dateTime="{at:%Y%m%d;%H%M%S}" transactionID="{ref}" />'
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


async def test_a_split_that_the_holdings_bear_out_is_booked_once_at_the_same_cost(tmp_path):
    async with invested(tmp_path) as one:
        await begun(one)
        cost = one.now.ledger.positions["KO"].cost
        await one.behind.split("KO", D(2), D(1))
        await one.say(Reconcile(), key="look")
        assert one.now.halting() is not None
        asked = statement(one, action(one, "FS", "KO", "KO(US1912161007) SPLIT 2 FOR 1", 500))
        for key in ("once", "twice"):
            reply = await one.say(asked, key=key)
            assert reply.ok, reply
            assert (one.now.ledger.held("KO"), one.now.ledger.positions["KO"].cost) == (1000, cost)
        assert any("SPLIT 2 FOR 1: nothing of KO differs" in word for word in reply.warnings)
        assert [(e.new, e.old, e.quantity) for e in one.events(SplitBooked)] == [(2, 1, 500)]
        assert one.now.halting() is not None  # lifted by a person


async def test_two_who_send_the_same_statement_at_once_book_it_once(tmp_path):
    async with invested(tmp_path) as one:
        await begun(one)
        await one.behind.split("KO", D(2), D(1))
        one.behind.pay(D(20))
        split = action(one, "FS", "KO", "KO(US1912161007) SPLIT 2 FOR 1", 500)
        asked = statement(one, split, cash(one, "71", "Dividends", "20"))
        book, reading, most = one.broker.book, 0, 0

        async def counted(since):
            nonlocal reading, most
            reading += 1
            most = max(most, reading)
            told = await book(since)
            reading -= 1
            return told

        one.broker.book = counted
        replies = await asyncio.gather(*(one.say(asked, key=f"{n}") for n in range(4)))
        assert most == 1
        assert [reply.data["differences"] for reply in replies] == [[]] * 4
        assert [(e.new, e.old, e.quantity) for e in one.events(SplitBooked)] == [(2, 1, 500)]
        assert (one.now.ledger.held("KO"), one.now.ledger.cash) == (1000, D(50_020))
        assert one.now.ledger.income == 20


async def test_a_split_that_the_minutes_look_booked_meanwhile_is_not_booked_again(tmp_path):
    async with invested(tmp_path) as one:
        await begun(one)
        await one.behind.split("KO", D(2), D(1))
        assert (await one.say(ExpectDifference("split:2", "announced", symbol="KO"), key="e")).ok
        asked = statement(one, action(one, "FS", "KO", "KO(US1912161007) SPLIT 2 FOR 1", 500))
        before_the_outcome(one, partial(compare, one.engine, one.broker))
        reply = await one.say(asked, key="a")
        assert (reply.ok, reply.data["differences"]) == (True, [])
        assert [e.quantity for e in one.events(SplitBooked)] == [500]
        assert one.now.ledger.held("KO") == 1000


async def test_a_reverse_split_with_a_fraction_paid_out_closes_to_the_cent(tmp_path):
    async with invested(tmp_path) as one:
        await begun(one)
        one.behind.move("KO", D(-334))  # 166 and two thirds of 500, the fraction in cash
        one.behind.pay(D("100.00"))
        said = "KO(US1912161007) SPLIT 1 FOR 3 (KO, COCA COLA CO, US1912161099)"
        reply = await one.say(
            statement(
                one,
                action(one, "RS", "KO.OLD", said, -500, "81"),
                action(one, "RS", "KO", said, "166.6667", "82"),
                cash(one, "90", "Other Fees", "100.00"),
            ),
            key="k",
        )
        assert reply.ok, reply
        assert reply.data["differences"] == []
        assert (one.now.ledger.held("KO"), one.now.ledger.cash) == (166, D(50_100))
        assert [word.endswith(": booked") for word in reply.warnings] == [True, True]


async def test_a_split_that_the_holdings_do_not_bear_out_is_named_and_halts(tmp_path):
    async with invested(tmp_path) as one:
        await begun(one)
        one.behind.move("KO", D(510))  # the split, and ten nobody explains
        asked = statement(one, action(one, "FS", "KO", "KO(US1912161007) SPLIT 2 FOR 1", 500))
        reply = await one.say(asked, key="k")
        assert not reply.ok
        assert one.now.halting() is not None
        assert one.now.ledger.held("KO") == 500
        (word,) = reply.warnings
        assert "tm reconcile accept --as split:2:1" in word


async def test_what_changes_a_symbol_is_named_with_what_to_do_and_stays_a_break(tmp_path):
    async with invested(tmp_path) as one:
        await begun(one)
        one.behind.move("KO", D(-500))
        asked = statement(
            one,
            action(one, "IC", "KO", "KO(US1912161007) CUSIP/ISIN CHANGE TO (US2222222222)", -500),
            action(one, "DW", "PG", "PG(US7427181091) DELISTED", -250, "82"),
            action(
                one, "TC", "KO", "KO(US1912161007) MERGED(Acquisition) WITH X 1 FOR 1", -5, "83"
            ),
        )
        reply = await one.say(asked, key="k")
        assert not reply.ok
        assert [found["subject"] for found in reply.data["differences"]] == ["KO"]
        assert one.now.halting() is not None
        words = " ".join(reply.warnings)
        for named in ("symbol change", "delisted, without worth", "merger", "universe.symbols"):
            assert named in words


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
