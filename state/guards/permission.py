"""Whether anything may be traded, this symbol too, and nobody asked for it already."""

from state.case import Case
from state.denial import Code, Denial
from state.order import Status


def halted(case: Case) -> Denial | None:
    """Refuse while the account or the symbol is halted."""
    halt = case.now.halting(case.order.symbol)
    if halt is None or case.flattening:
        return None
    return case.deny(
        Code.TRADING_HALTED,
        f"trading is halted for {halt.scope} since {halt.at:%Y-%m-%d %H:%M} UTC by {halt.actor}: "
        f"{halt.reason}",
        f"when the cause is gone: tm resume --scope {halt.scope} --reason TEXT --accept-risk NAME",
        halt.scope,
        "no halt",
    )


def reconcile_pending(case: Case) -> Denial | None:
    """Refuse everything while the books are not known to agree with the broker's."""
    if case.now.reconciled:
        return None
    differences = len(case.now.differences)
    found = f"{differences} differ" if differences else "not compared yet"
    return case.deny(
        Code.RECONCILE_PENDING,
        f"our book is not known to agree with the broker's ({found})",
        "see tm reconcile; book an explained difference with tm reconcile accept"
        if differences
        else "wait for readiness: tm health, tm reconcile",
        found,
        "0 differences",
    )


def restricted_symbol(case: Case) -> Denial | None:
    """Refuse to open what is on the restricted list."""
    listed = {*case.limits.restricted, *(case.now.start.restricted if case.now.start else ())}
    if case.order.symbol not in listed or case.reducing:
        return None
    return case.deny(
        Code.RESTRICTED_SYMBOL,
        f"{case.order.symbol} is restricted: a holding of it may only be reduced",
        "take it off risk.restricted if that is no longer so",
        case.order.symbol,
        "risk.restricted",
    )


def duplicate_order(case: Case) -> Denial | None:
    """Refuse an order id known already, and another command's open order over again.

    The latter are the duplicative orders of SEC rule 15c3-5 (c)(1)(ii): same symbol, side, size.
    """
    order = case.order
    hint = "see tm orders --open; cancel the other, or ask for another quantity"
    if order.order_id in case.now.orders:
        message = f"order {order.order_id} is on record already"
        return case.deny(Code.DUPLICATE_ORDER, message, hint, order.order_id, "once")
    mine = order.order_id.rpartition(".")[0]
    for other in case.stake.orders:
        if other.open and other.quantity == order.quantity and other.rid != mine:
            return case.deny(
                Code.DUPLICATE_ORDER,
                f"order {other.order_id} of another command, {other.status}, already asks for "
                f"{order.quantity:+} {order.symbol}",
                hint,
                other.order_id,
                "once",
            )
    return None


def symbol_frozen(case: Case) -> Denial | None:
    """Refuse while nobody can say where an order of the symbol is."""
    for other in case.stake.orders:
        if other.status is Status.UNKNOWN:
            return case.deny(
                Code.SYMBOL_FROZEN,
                f"order {other.order_id} ({other.quantity:+} {other.symbol}) is in doubt: "
                f"{other.reason or 'the broker has not said what became of it'}",
                "wait for the reconciliation, or start it: tm reconcile",
                other.order_id,
                "no order in doubt",
            )
    return None


def no_session(case: Case) -> Denial | None:
    """Refuse what has no session to trade in."""
    if case.moment.target is not None:
        return None
    why = "the feed has ended" if case.moment.feed_ended else "the market is closed or has no day"
    return case.deny(
        Code.NO_SESSION,
        f"there is no session this order could trade in: {why}",
        'wait for the next session, or set execution.session = "next"',
        "none",
        "a session",
    )
