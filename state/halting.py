"""Deciding halts: stop, cancel, flatten; and resuming, which somebody has to answer for."""

from state.command import Halt, HaltForDisk, Resume
from state.denial import Code
from state.event import Halted, Resumed
from state.instrument import ZERO, Symbol
from state.order import Order
from state.trading import submit, withdraw_orders
from state.unfolding import Unavailable, Unfolding


def covers(scope: str, symbol: Symbol) -> bool:
    """Return whether a halt's scope holds for a symbol."""
    return scope in {"account", f"symbol:{symbol}"}


def stop_trading(course: Unfolding, scope: str, reason: str, code: str, actor: str) -> None:
    """Halt a scope and ask its open orders back, those that close a position by order included."""
    course.note(Halted(scope, reason, code, actor, course.moment.at))
    within: tuple[Order, ...] = tuple(
        order
        for order in course.now.open_orders
        if covers(scope, order.symbol) and order.source != "flatten"
    )
    withdraw_orders(course, within, f"halted: {reason}", "halted")


def halt(course: Unfolding, command: Halt) -> Unavailable | None:
    """Halt on request. Halting twice is one halt; `flatten` works either time."""
    scope = command.scope
    if scope != "account":
        kind, _, symbol = scope.partition(":")
        if kind != "symbol" or symbol not in course.now.instruments:
            return Unavailable(
                "invalid",
                "UNKNOWN_SCOPE",
                f"scope {scope!r} is neither 'account' nor 'symbol:' and a symbol of the universe",
                "say --scope account, or --scope symbol:KO",
            )
    if scope not in course.now.halts:
        stop_trading(course, scope, command.reason, Code.TRADING_HALTED, course.actor)
    elif not command.flatten:
        course.skip("ALREADY_HALTED", f"{scope} is halted: {course.now.halts[scope].reason}")
    if command.flatten:
        flatten(course, scope)
    return None


def flatten(course: Unfolding, scope: str) -> None:
    """Close the scope's positions, less what working orders already close."""
    for symbol, position in course.now.ledger.positions.items():
        if not position.quantity or not covers(scope, symbol):
            continue
        buying, selling = course.now.working(symbol)
        closing = selling if position.quantity > 0 else buying
        left = max(abs(position.quantity) - closing, ZERO)
        if left:
            submit(course, symbol, -left.copy_sign(position.quantity), None, "flatten")


def resume(course: Unfolding, command: Resume) -> None:
    """Lift a halt: a named person takes the risk, and the books must agree."""
    halting = course.now.halts.get(command.scope)
    if halting is None:
        course.skip("NOT_HALTED", f"{command.scope} is not halted")
    elif not command.accept_risk.strip():
        course.deny(
            Code.RISK_NOT_ACCEPTED,
            "nobody's name is on this resume",
            hint="say who answers for it: --accept-risk NAME",
        )
    elif halting.code == Code.RECONCILE_PENDING and course.now.differences:
        course.deny(
            Code.RECONCILE_PENDING,
            f"the books still differ in {', '.join(d.subject for d in course.now.differences)}",
            hint="look at `tm reconcile`, then explain it with `tm reconcile accept`",
        )
    else:
        by = f"{course.actor} ({command.accept_risk})"
        course.note(Resumed(command.scope, command.reason, by, course.moment.at))


def halt_for_disk(course: Unfolding, command: HaltForDisk) -> None:
    """Halt while the journal's disk is full; resume by itself when that was the only reason."""
    halting = course.now.halts.get("account")
    if command.full and halting is None:
        stop_trading(course, "account", command.detail, Code.DISK_FULL, "disk")
    elif not command.full and halting is not None and halting.code == Code.DISK_FULL:
        course.note(Resumed("account", command.detail, "disk", course.moment.at))
