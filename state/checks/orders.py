"""Is every order where it should be: with us, with its command, and at the broker."""

from collections.abc import Iterator

from state.answers import plain
from state.evidence import AuditFacts, Check, breach, ok, warn
from state.order import Status
from state.snapshot import Snapshot


def unknown(now: Snapshot, _: AuditFacts) -> Iterator[Check]:
    """Look for orders that nobody can say the state of."""
    lost = [o.order_id for o in now.orders.values() if o.status is Status.UNKNOWN]
    if lost:
        yield breach(
            "orders_unknown",
            len(lost),
            0,
            f"{', '.join(lost)}: sent, and the broker could not say what became of them; their "
            "symbols are frozen until it can",
        )
    else:
        yield ok("orders_unknown", 0, 0, "every order's state is known")


def consistent(now: Snapshot, _: AuditFacts) -> Iterator[Check]:
    """Check that orders and commands know each other, and no order traded more than it was."""
    waited_for = {order_id: rid for rid, ids in now.commands.items() for order_id in ids}
    faults = [
        f"{order_id} belongs to command {rid} and is gone"
        for order_id, rid in waited_for.items()
        if order_id not in now.orders
    ]
    for order_id, order in now.orders.items():
        if order.open and not order.external and waited_for.get(order_id) != order.rid:
            faults.append(f"{order_id} is open and its command {order.rid} does not know it")
        if order.filled > abs(order.quantity):
            faults.append(
                f"{order_id} traded {plain(order.filled)} of {plain(abs(order.quantity))}"
            )
    if others := [order_id for order_id, order in now.orders.items() if order.external]:
        yield warn(
            "orders_external",
            len(others),
            0,
            f"{', '.join(others)}: given to the broker by somebody else; counted, and left alone",
        )
    else:
        yield ok("orders_external", 0, 0, "nobody else has orders open at the broker")
    if faults:
        yield breach("orders", len(faults), 0, f"{'; '.join(faults)}; run `tm verify`")
    else:
        yield ok("orders", 0, 0, f"{len(now.open_orders)} open, each known to its command")


def owed(now: Snapshot, _: AuditFacts) -> Iterator[Check]:
    """Look for executions that the broker counted and never told of."""
    owing = [
        f"{order.order_id} ({plain(abs(order.working))} of {order.symbol})"
        for order in now.orders.values()
        if not order.open and order.working
    ]
    if owing:
        yield warn(
            "executions_owed",
            len(owing),
            0,
            f"final at the broker, executions still to come: {', '.join(owing)}",
        )
    else:
        yield ok("executions_owed", 0, 0, "every execution the broker counted is booked")


def at_broker(now: Snapshot, facts: AuditFacts) -> Iterator[Check]:
    """Compare open orders with the broker's."""
    if facts.broker_orders is None:
        yield breach(
            "orders_broker",
            None,
            "equal",
            f"the {facts.broker} broker's open orders are not known: "
            f"{facts.unavailable or 'it did not answer'}",
        )
        return
    ours = {order.order_id: order for order in now.open_orders}
    foreign = sorted(set(facts.broker_orders) - ours.keys())
    missing = sorted(
        ref
        for ref, order in ours.items()
        if order.status in {Status.LIVE, Status.PENDING_CANCEL} and ref not in facts.broker_orders
    )
    if foreign:
        yield breach(
            "orders_broker",
            len(foreign),
            0,
            f"open at the {facts.broker} broker and not of ours: {', '.join(foreign)}; cancel "
            "them there",
        )
    if missing:
        yield warn(
            "orders_broker",
            len(missing),
            0,
            f"open here and not at the {facts.broker} broker: {', '.join(missing)}; the next "
            "comparison settles them",
        )
    if not foreign and not missing:
        yield ok("orders_broker", 0, 0, f"{len(facts.broker_orders)} open there, all of them ours")
