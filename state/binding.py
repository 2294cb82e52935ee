"""What a plan binds to: its time, and the book and the prices that it was made from."""

from decimal import Decimal

from state.denial import Code, Denial
from state.instrument import ZERO, Symbol
from state.moment import Moment
from state.plan import Plan, PlanState
from state.snapshot import Snapshot


def stale(now: Snapshot, plan: Plan, moment: Moment) -> Denial | None:
    """Return why a plan can't be executed any more, or None while it can."""
    anew = "make a new one with `tm plan`"
    if plan.state is PlanState.EXECUTED:
        return Denial(Code.PLAN_EXECUTED, plan.plan_id, message="the plan was executed", hint=anew)
    if plan.state is PlanState.REJECTED:
        return Denial(
            Code.PLAN_REJECTED, plan.plan_id, message=f"{plan.by} rejected the plan", hint=anew
        )
    if moment.wall >= plan.expires_at or (now.replaying and now.bars != plan.bars):
        return Denial(
            Code.PLAN_EXPIRED,
            plan.plan_id,
            value=moment.wall.isoformat(),
            limit=plan.expires_at.isoformat(),
            message="the plan expired: a bar has closed since"
            if moment.wall < plan.expires_at
            else f"the plan expired at {plan.expires_at:%H:%M:%S} UTC",
            hint=anew,
        )
    return None


def changed(now: Snapshot, plan: Plan) -> Denial | None:
    """Return why the book or the market is no longer what the plan was made for."""
    for what, then, later in (
        ("the position", plan.held, holdings(now)),
        ("what is on order", plan.on_order, on_order(now)),
    ):
        for symbol in sorted({*later, *then}):
            was, is_now = then.get(symbol, ZERO), later.get(symbol, ZERO)
            if was != is_now:
                return Denial(
                    Code.POSITIONS_CHANGED,
                    symbol,
                    str(is_now),
                    str(was),
                    f"{what} is {is_now}, and was {was} when the plan was made",
                    "make a new one with `tm plan`",
                )
    tolerance = Decimal(str(now.start.execution.plan_tolerance)) if now.start else ZERO
    for line in plan.lines:
        price = now.price(line.symbol)
        if price is None or abs(price - line.price) > tolerance * line.price:
            return Denial(
                Code.PRICES_MOVED,
                line.symbol,
                str(price),
                str(line.price),
                f"the price is {price}, more than {tolerance:%} from the plan's {line.price}",
                "make a new one with `tm plan`, or raise execution.plan_tolerance",
            )
    return None


def holdings(now: Snapshot) -> dict[Symbol, Decimal]:
    """Return the signed quantity held of each symbol that is."""
    return {s: p.quantity for s, p in now.ledger.positions.items() if p.quantity}


def on_order(now: Snapshot) -> dict[Symbol, Decimal]:
    """Return the signed quantity that open orders may still trade, of each symbol with any."""
    working: dict[Symbol, Decimal] = {}
    for order in now.orders.values():
        if order.working:
            working[order.symbol] = working.get(order.symbol, ZERO) + order.working
    return working
