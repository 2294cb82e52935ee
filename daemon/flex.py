"""Reading a Flex statement: what the broker keeps after the gateway forgot it."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Final
from xml.parsers import expat  # nosec: declarations are refused, so nothing is ever expanded
from zoneinfo import ZoneInfo

import msgspec

from daemon.corporate_actions import CorporateAction
from state.command import RecordFill, StatedCash
from state.event import CashKind
from state.instrument import AmountOutOfRange, money
from state.order import name_of

ZONE: Final = ZoneInfo("America/New_York")  # statements say no zone; this is the accounts' default
SIDES: Final = {"BUY": 1, "SELL": -1}
KINDS: Final[dict[str, CashKind]] = {
    "Dividends": "dividend",
    "Payment In Lieu Of Dividends": "dividend",
    "Withholding Tax": "dividend",
}
DEPOSITS: Final = frozenset({"Deposits/Withdrawals", "Deposits & Withdrawals"})
LONGEST: Final = 1000  # characters of one attribute
Row = Mapping[str, str]


class StatementRefused(ValueError):
    """A statement is not one of this account, or can't be read; nothing of it was booked."""

    def __init__(self, why: str, hint: str) -> None:
        super().__init__(why)
        self.hint = hint


class Statement(msgspec.Struct, frozen=True):
    """What happened in an account from one day to another, in its base currency."""

    start: date
    end: date
    executions: tuple[RecordFill, ...] = ()
    movements: tuple[StatedCash, ...] = ()
    actions: tuple[CorporateAction, ...] = ()


def read(text: str, account: str, currency: str) -> Statement:
    """Return the statement of `account`; raise StatementRefused for anything else."""
    rows = elements(text)
    heads = [row for tag, row in rows if tag == "FlexStatement"]
    if len(heads) != 1:
        raise StatementRefused(
            f"it holds {len(heads)} statements, and one is read",
            "run the Flex query for one account and one period, as XML",
        )
    (head,) = heads
    if (named := head.get("accountId", "")) != account:
        raise StatementRefused(
            f"it is of account {named or 'nobody'}, and this daemon trades {account}",
            f"run the Flex query for {account}",
        )
    executions, movements, actions = [], [], []
    for tag, row in rows:
        if row.get("accountId", account) != account:
            raise StatementRefused(
                f"a {tag} is of account {row['accountId']}, and the statement of {account}",
                f"run the Flex query for {account} alone",
            )
        level = row.get("levelOfDetail", "")
        if tag == "Trade" and level in {"", "EXECUTION"}:
            executions.append(execution(row, currency))
        elif tag == "CashTransaction" and level in {"", "DETAIL"}:
            movements.append(movement(row, currency))
        elif tag == "CorporateAction" and level in {"", "DETAIL"}:
            actions.append(action(row))
    return Statement(
        moment("FlexStatement", head, "fromDate").date(),
        moment("FlexStatement", head, "toDate").date(),
        tuple(executions),
        tuple(sorted(movements, key=lambda one: (one.at, one.ref))),
        tuple(actions),
    )


def elements(text: str) -> list[tuple[str, Row]]:
    """Return every element's name and attributes, in order; raise StatementRefused.

    A declaration of a document type is refused before anything of it is read: with it entities go.
    """
    found: list[tuple[str, Row]] = []

    def doctype(*_: object) -> None:
        raise StatementRefused(
            "it declares a document type, which no statement does",
            "save the statement as the broker sent it",
        )

    def element(tag: str, row: Row) -> None:
        for key, value in row.items():
            if len(value) > LONGEST or not value.isprintable():
                raise StatementRefused(
                    f"a {tag[:40]!r} has a {key[:40]!r} of {len(value):,} characters, which is "
                    f"longer than {LONGEST:,} or unprintable",
                    "save the statement as the broker sent it",
                )
        found.append((tag, row))

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler = element
    try:
        parser.Parse(text, True)
    except expat.ExpatError as why:
        raise StatementRefused(
            f"it is no XML: {why}", "save the statement as XML, whole, and as the broker sent it"
        ) from None
    return found


def execution(row: Row, currency: str) -> RecordFill:
    """Return an execution with its commission, under the id and revision the gateway gives it."""
    check_currency("Trade", row, currency)
    what = said("Trade", row, "assetCategory")
    if what != "STK":
        raise StatementRefused(
            f"it has a trade of {what}, and only stocks and funds (STK) are booked",
            "explain what came of it with `tm reconcile accept`",
        )
    name = said("Trade", row, "ibExecID")
    root, dot, revision = name.rpartition(".")
    if not (root and dot and revision.isascii() and revision.isdecimal()):
        raise StatementRefused(
            f"execution {name} does not end in .REVISION", "send the statement as it came"
        )
    side = said("Trade", row, "buySell")
    if side not in SIDES:
        raise StatementRefused(
            f"execution {name} has buySell {side}, not BUY or SELL",
            "explain what was cancelled with `tm reconcile accept`",
        )
    if row.get("ibCommissionCurrency", currency) not in {"", currency}:
        raise StatementRefused(
            f"execution {name} was charged in {row['ibCommissionCurrency']}, not in {currency}",
            "explain it with `tm reconcile accept`",
        )
    return RecordFill(
        execution_id=root,
        order_id=name_of(row.get("orderReference", ""), row.get("ibOrderID", "") or root),
        symbol=said("Trade", row, "symbol"),
        quantity=SIDES[side] * abs(number("Trade", row, "quantity")),
        price=number("Trade", row, "tradePrice"),
        fee=-number("Trade", row, "ibCommission"),
        at=moment("Trade", row, "dateTime"),
        revision=2 * int(revision) + 1,
    )


def movement(row: Row, currency: str) -> StatedCash:
    """Return cash that came (positive) or went, as what it was."""
    check_currency("CashTransaction", row, currency)
    signed = number("CashTransaction", row, "amount")
    what = said("CashTransaction", row, "type")
    kind = KINDS.get(what, "adjustment")
    if what in DEPOSITS:
        kind = "deposit" if signed > 0 else "withdraw"
    return StatedCash(
        said("CashTransaction", row, "transactionID"),
        kind,
        signed,
        f"{what} {row.get('symbol', '')} {row.get('description', '')}".strip(),
        moment("CashTransaction", row, "dateTime"),
    )


def action(row: Row) -> CorporateAction:
    """Return a corporate action, with as much as the query has of it."""
    tag = "CorporateAction"
    when = next((key for key in ("dateTime", "reportDate") if row.get(key)), None)
    return CorporateAction(
        row.get("type", ""),
        row.get("symbol", ""),
        row.get("actionDescription") or said(tag, row, "description"),
        row.get("transactionID", "") or row.get("actionID", ""),
        moment(tag, row, when) if when else None,
        number(tag, row, "quantity") if row.get("quantity") else None,
    )


def check_currency(tag: str, row: Row, currency: str) -> None:
    """Raise StatementRefused for a row that is not in the account's currency."""
    if (told := said(tag, row, "currency")) != currency:
        raise StatementRefused(
            f"a {tag} is in {told}, and the book is kept in {currency}",
            "nothing here converts: explain it with `tm reconcile accept`",
        )


def said(tag: str, row: Row, key: str) -> str:
    """Return an attribute; raise StatementRefused without it."""
    if value := row.get(key, ""):
        return value
    raise StatementRefused(
        f"a {tag} has no {key}", f"add {key} to the {tag} section of the Flex query"
    )


def number(tag: str, row: Row, key: str) -> Decimal:
    """Return an attribute's number; raise StatementRefused."""
    value = said(tag, row, key)
    try:
        return money(Decimal(value.replace(",", "")))
    except (InvalidOperation, AmountOutOfRange):
        raise StatementRefused(
            f"a {tag} has {key} {value!r}, which is no amount", "send the statement as it came"
        ) from None


def moment(tag: str, row: Row, key: str) -> datetime:
    """Return an attribute's time, a day's beginning where it has only the day."""
    value = said(tag, row, key)
    for form in ("%Y%m%d;%H%M%S", "%Y-%m-%d;%H:%M:%S", "%Y%m%d", "%Y-%m-%d"):
        try:
            return datetime.strptime(value, form).replace(tzinfo=ZONE)
        except ValueError:
            continue
    raise StatementRefused(
        f"a {tag} has {key} {value!r}, which is no time",
        "set the query's dates to yyyyMMdd and its times to HHmmss, apart by ;",
    )
