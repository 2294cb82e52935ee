"""Deciding a close: mark the book, look at the losses, and let the session's unsent orders go."""

from state.blended import scope_of
from state.command import CloseBars
from state.denial import Code
from state.event import BarsClosed, BarsMissed, OrderStopped
from state.halting import lasting, stop_trading
from state.headroom import day_loss
from state.instrument import ZERO, amount
from state.order import Status
from state.unfolding import Unfolding


def close_bars(course: Unfolding, command: CloseBars) -> None:
    """Book a close. A close that is not later than the last one is dropped: feeds may repeat."""
    now = course.now
    if now.closed_at is not None and command.at <= now.closed_at:
        return
    for gap in command.missed:
        course.note(BarsMissed(gap.session, gap.symbols, command.at))
    for order in now.open_orders:
        if order.status is Status.PENDING and order.session <= command.session:
            course.note(
                OrderStopped(
                    order.order_id, "expired", f"session {order.session} is over", command.at
                )
            )
    closes = {bar.symbol: bar.close for bar in command.bars}
    values = []
    for symbol, held in now.ledger.positions.items():
        if held.quantity:
            price = closes[symbol] if symbol in closes else now.marks[symbol].price
            values.append(amount(held.quantity, price))
    net, gross = sum(values, ZERO), sum(map(abs, values), ZERO)
    equity = now.ledger.cash + net if now.funded else ZERO  # nobody knows what it began with
    course.note(
        BarsClosed(
            command.at,
            command.session,
            command.bars,
            equity,
            now.ledger.cash,
            float(gross / equity) if equity > 0 else 0.0,
            float(net / equity) if equity > 0 else 0.0,
            command.targets,
            command.strategy,
            command.belief,
            command.undecided,
            command.blend,
        )
    )
    watch_members(course, command)
    watch_losses(course)


def watch_members(course: Unfolding, command: CloseBars) -> None:
    """Halt the members of a blend whose own books have fallen too far."""
    for share in command.blend.shares if command.blend else ():
        scope = scope_of(share.name)
        if share.fell and scope not in course.now.halts:
            reason = (
                f"its book fell {share.drawdown:.2%} from its best, "
                f"past blend.members.{share.name}.max_drawdown"
            )
            stop_trading(course, scope, reason, Code.DRAWDOWN, "risk")


def watch_losses(course: Unfolding) -> None:
    """Halt the account when the drawdown or the day's loss has reached its limit."""
    now = course.now
    if now.start is None or not now.funded or lasting(now) is not None:
        return
    limits = now.start.limits
    if now.drawdown >= limits.max_drawdown and now.drawdown > 0:
        stop_trading(
            course,
            "account",
            f"drawdown {now.drawdown:.2%} reached the limit {limits.max_drawdown:.2%}",
            Code.DRAWDOWN,
            "risk",
        )
        return
    loss = day_loss(now, now.closing)
    if loss and loss >= limits.max_day_loss:
        stop_trading(
            course,
            "account",
            f"the day's loss {loss:.2%} reached the limit {limits.max_day_loss:.2%}",
            Code.DAY_LOSS,
            "risk",
        )
