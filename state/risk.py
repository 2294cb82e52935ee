"""The gate: the questions every order must pass on the only path to a broker. It fails closed.

A guard is a pure function of a `Case` and answers with a denial or None; `GUARDS` asks them in
order and the first denial stands. A guard that raises denies. Value and bound are in every denial.
At the bound an order passes, beyond it not; a loss or an age that has reached its bound is refused.

Who may pass when others may not: an order that only brings a holding nearer zero (it is *reducing*)
is never held up by restrictions, stale data, losses or exposure; one that also has the source
"flatten" (it is *flattening*) passes halts, the day's budgets, the rate and the size of an order as
well, or the kill switch would be stopped by the limits it protects.
"""

from typing import Final

from state.book import Book, book_of
from state.case import Case, Guard, Proposed
from state.denial import Code, Denial
from state.guards import budget, exposure, permission, soundness
from state.moment import Moment
from state.snapshot import Snapshot

GUARDS: Final[tuple[tuple[Code, Guard], ...]] = (
    (Code.TRADING_HALTED, permission.halted),
    (Code.RECONCILE_PENDING, permission.reconcile_pending),
    (Code.UNKNOWN_SYMBOL, soundness.unknown_symbol),
    (Code.RESTRICTED_SYMBOL, permission.restricted_symbol),
    (Code.CURRENCY_MISMATCH, soundness.currency_mismatch),
    (Code.DUPLICATE_ORDER, permission.duplicate_order),
    (Code.SYMBOL_FROZEN, permission.symbol_frozen),
    (Code.INVALID_QUANTITY, soundness.invalid_quantity),
    (Code.INVALID_PRICE, soundness.invalid_price),
    (Code.NO_PRICE, soundness.no_price),
    (Code.STALE_DATA, soundness.stale_data),
    (Code.NO_SESSION, permission.no_session),
    (Code.ORDER_RATE, budget.order_rate),
    (Code.DAY_ORDERS, budget.day_orders),
    (Code.DAY_TURNOVER, budget.day_turnover),
    (Code.DAY_LOSS, budget.day_loss),
    (Code.DRAWDOWN, budget.drawdown),
    (Code.ORDER_QUANTITY, exposure.order_quantity),
    (Code.ORDER_NOTIONAL, exposure.order_notional),
    (Code.PRICE_COLLAR, exposure.price_collar),
    (Code.SHORT_SALE, exposure.short_sale),
    (Code.POSITION_WEIGHT, exposure.position_weight),
    (Code.GROSS_EXPOSURE, exposure.gross_exposure),
    (Code.NET_EXPOSURE, exposure.net_exposure),
    (Code.INSUFFICIENT_CASH, exposure.insufficient_cash),
)


def check(
    now: Snapshot, order: Proposed, moment: Moment, before: Book | None = None
) -> Denial | None:
    """Return why `order` may not be sent, or None if it may.

    `before` only saves time: any earlier `book_of`, when many orders are gated in a row.
    """
    asked = "book"
    try:
        case = Case(now, order, moment, book_of(now, before))
        for code, guard in GUARDS:
            asked = code.value
            denial = guard(case)
            if denial is not None:
                return denial
    except Exception as error:  # noqa: BLE001  whatever broke, an order that was not judged is not sent
        return Denial(
            Code.GUARD_FAILED,
            order.symbol,
            value=asked,
            message=f"the guard {asked} failed: {type(error).__name__}: {error}",
            hint="nothing was sent; this is a defect or damaged state: see the log, run tm audit",
        )
    return None
