"""A Flex statement of what a gateway's account did, as the broker's own would say it."""

from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")


def moment(at):
    return f"{at.astimezone(NEW_YORK):%Y%m%d;%H%M%S}"


def trade(execution):
    order = execution.order
    side = "BUY" if execution.signed > 0 else "SELL"
    return (
        f'<Trade accountId="{order.account}" currency="USD" assetCategory="STK"'
        f' symbol="{order.inst.symbol}" conid="{order.inst.con_id}" buySell="{side}"'
        f' quantity="{execution.signed:.0f}" tradePrice="{execution.price:.6f}"'
        f' ibCommission="{-execution.commission:.6f}" dateTime="{moment(execution.time)}"'
        f' orderReference="{order.ref}" ibOrderID="{order.perm_id}"'
        f' ibExecID="{execution.exec_id}" levelOfDetail="EXECUTION" />'
    )


def split(account, symbol, new, old, quantity, at):
    said = f"{symbol}(US0000000000) SPLIT {new} FOR {old} ({symbol}, {symbol} CO, US0000000000)"
    return (
        f'<CorporateAction accountId="{account}" currency="USD" assetCategory="STK"'
        f' symbol="{symbol}" description="{symbol} CO" actionDescription="{said}" type="FS"'
        f' dateTime="{moment(at)}" reportDate="{at.astimezone(NEW_YORK):%Y%m%d}"'
        f' quantity="{quantity:g}" transactionID="81" levelOfDetail="DETAIL" />'
    )


def statement(account, day, *rows):
    """The statement of one account for one day, as the text of a file."""
    return (
        f'<FlexQueryResponse><FlexStatements count="1"><FlexStatement accountId="{account}"'
        f' fromDate="{day:%Y%m%d}" toDate="{day:%Y%m%d}">{"".join(rows)}'
        "</FlexStatement></FlexStatements></FlexQueryResponse>"
    )
