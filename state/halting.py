"""Deciding halts: stop, cancel, flatten; and resuming, which somebody has to answer for."""

from state.book import book_of
from state.command import Halt, HaltForDisk, Resume
from state.denial import Code, Denial
from state.event import CommandFinished, FlattenDue, FlattenQueued, Halted, OrderDenied, Resumed
from state.instrument import ZERO, Symbol
from state.order import Order, Status
from state.snapshot import Halting, Snapshot
from state.trading import submit, withdraw_orders
from state.unfolding import Unavailable, Unfolding


def covers(scope: str, symbol: Symbol) -> bool:
    """Return whether a halt's scope holds for a symbol."""
    return scope in {"account", f"symbol:{symbol}"}


def lasting(now: Snapshot, scope: str = "account") -> Halting | None:
    """Return the scope's halt, unless it ends by itself: another one has to take that one's place.

    A halt for want of disk space is lifted without anybody, and must not hide one that isn't.
    """
    halting = now.halts.get(scope)
    return None if halting is None or halting.code == Code.DISK_FULL else halting


def stop_trading(
    course: Unfolding, scope: str, reason: str, code: str, actor: str, *, flatten: bool = False
) -> None:
    """Halt a scope and ask its open orders back, those that close a position by order included.

    To `flatten`, what closes a position at the market already is left to do so.
    """
    course.note(Halted(scope, reason, code, actor, course.moment.at))
    within: tuple[Order, ...] = tuple(
        order
        for order in course.now.open_orders
        if covers(scope, order.symbol)
        and order.source != "flatten"
        and not (flatten and closes(course.now, order))
    )
    withdraw_orders(course, within, f"halted: {reason}", "halted")


def closes(now: Snapshot, order: Order) -> bool:
    """Return whether a live order closes a position at whatever price there is."""
    against: bool = now.ledger.held(order.symbol) * order.quantity < 0
    return against and order.status is Status.LIVE and order.limit_price is None


def unknown_scope(now: Snapshot, command: Halt) -> Unavailable | None:
    """Return why a halt has nothing to hold for, None where it has."""
    scope = command.scope
    kind, _, name = scope.partition(":")
    members = [share.name for share in now.blend.shares] if now.blend else []
    if kind == "strategy" and name in members:
        if not command.flatten:
            return None
        return Unavailable(
            "invalid",
            "UNKNOWN_SCOPE",
            f"what {name} wants is held together with what others want, and can't be closed alone",
            "halt it without --flatten: the next rebalance takes its capital to cash",
        )
    if scope == "account" or (kind == "symbol" and name in now.instruments):
        return None
    known = f"; members of the blend are {', '.join(members)}" if members else ""
    return Unavailable(
        "invalid",
        "UNKNOWN_SCOPE",
        f"scope {scope!r} is neither 'account' nor 'symbol:' and a symbol of the universe{known}",
        "say --scope account, --scope symbol:KO, or --scope strategy:NAME for a member of a blend",
    )


def halt(course: Unfolding, command: Halt) -> Unavailable | None:
    """Halt on request. Halting twice is one halt; `flatten` works either time."""
    scope = command.scope
    if wrong := unknown_scope(course.now, command):
        return wrong
    if lasting(course.now, scope) is None:
        stop_trading(
            course,
            scope,
            command.reason,
            Code.TRADING_HALTED,
            course.actor,
            flatten=command.flatten,
        )
    elif not command.flatten:
        course.skip("ALREADY_HALTED", f"{scope} is halted: {course.now.halts[scope].reason}")
    if command.flatten and course.now.reconciled:
        flatten(course, scope)
    elif command.flatten:  # what is held is not known, so neither is what would close it
        course.note(FlattenQueued(course.rid, scope, course.moment.at))
    return None


def flatten_queued(course: Unfolding) -> None:
    """Close what was to be closed once the books agree: they do."""
    for rid, scope in course.now.flattening.items():
        course.note(FlattenDue(rid, course.moment.at))
        with course.on_behalf_of(rid):
            flatten(course, scope)
        if not course.now.commands[rid]:  # there was nothing to close
            course.note(CommandFinished(rid, (), course.moment.at))


def forget_flattening(course: Unfolding, scope: str) -> None:
    """Let a resume take back what was to be closed and is not yet."""
    for rid, queued in course.now.flattening.items():
        if scope in {"account", queued}:
            course.note(FlattenDue(rid, course.moment.at))
            course.note(CommandFinished(rid, (), course.moment.at))


def flatten(course: Unfolding, scope: str) -> None:
    """Close the scope's positions, less what working orders already close.

    What an order in doubt, or asked back, may still close is not asked for twice: it is denied.
    """
    for symbol, position in course.now.ledger.positions.items():
        if not position.quantity or not covers(scope, symbol):
            continue
        stake = book_of(course.now).stake(symbol)
        if position.quantity > 0:
            closing, sure = stake.selling, stake.sure_selling
        else:
            closing, sure = stake.buying, stake.sure_buying
        left = max(abs(position.quantity) - closing, ZERO)
        if left:
            submit(course, symbol, -left.copy_sign(position.quantity), None, "flatten")
        doubtful = min(closing - sure, abs(position.quantity))
        if doubtful:
            denial = Denial(
                Code.DUPLICATE_ORDER,
                symbol,
                str(doubtful),
                "0",
                f"{doubtful:f} of the {abs(position.quantity):f} held may still be closed by "
                "orders that are asked back or in doubt",
                "when `tm orders --open` shows none of them: `tm halt --flatten` again",
            )
            quantity = -doubtful.copy_sign(position.quantity)
            order_id = course.next_order_id()
            course.note(
                OrderDenied(order_id, course.rid, symbol, quantity, denial, course.moment.at)
            )


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
    elif halting.code == Code.RECONCILE_PENDING and not course.now.reconciled:
        subjects = ", ".join(found.subject for found in course.now.differences)
        course.deny(
            Code.RECONCILE_PENDING,
            f"the books still differ in {subjects}" if subjects else "the books are not compared",
            hint="look at `tm reconcile`, then explain it with `tm reconcile accept`",
        )
    else:
        by = f"{course.actor} ({command.accept_risk})"
        course.note(Resumed(command.scope, command.reason, by, course.moment.at))
        forget_flattening(course, command.scope)


def halt_for_disk(course: Unfolding, command: HaltForDisk) -> None:
    """Halt while the journal's disk is full; resume by itself when that was the only reason."""
    halting = course.now.halts.get("account")
    if command.full and halting is None:
        stop_trading(course, "account", command.detail, Code.DISK_FULL, "disk")
    elif not command.full and halting is not None and halting.code == Code.DISK_FULL:
        course.note(Resumed("account", command.detail, "disk", course.moment.at))
