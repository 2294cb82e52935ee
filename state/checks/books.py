"""Is the book right: against the broker's, against itself, and in what it holds."""

from collections.abc import Iterator

from state.answers import plain
from state.event import Difference
from state.evidence import AuditFacts, Check, breach, ok, warn
from state.instrument import ZERO
from state.snapshot import Snapshot


def against_broker(now: Snapshot, facts: AuditFacts) -> Iterator[Check]:
    """Compare positions and cash with the broker's, one line a difference."""
    if facts.differences is None:
        yield breach(
            "books",
            None,
            "equal",
            f"the {facts.broker} broker could not be compared with: "
            f"{facts.unavailable or 'it did not answer'}; `tm status` shows the connection",
        )
        return
    yield from (difference(found, facts.broker) for found in facts.differences)
    if not facts.differences:
        held = sum(1 for p in now.ledger.positions.values() if p.quantity)
        yield ok("books", 0, 0, f"cash and {held} positions are as the {facts.broker} broker's")


def difference(found: Difference, broker: str) -> Check:
    """Return one difference between the books."""
    ours, theirs = plain(found.ours), plain(found.broker)
    return breach(
        "books",
        str(ours),
        str(theirs),
        f"{found.subject}: we have {ours}, the {broker} broker has {theirs}; look at "
        "`tm reconcile`, then explain it with `tm reconcile accept`",
    )


def reconciled(now: Snapshot, _: AuditFacts) -> Iterator[Check]:
    """Look whether the books were found equal: until then nothing is sent."""
    if now.reconciled:
        yield ok("reconciliation", "reconciled", "reconciled", "the books were compared and agree")
    elif now.differences:
        subjects = ", ".join(d.subject for d in now.differences)
        yield breach(
            "reconciliation",
            len(now.differences),
            0,
            f"the last comparison differed in {subjects}; nothing is sent until it is explained",
        )
    else:
        yield warn(
            "reconciliation",
            "pending",
            "reconciled",
            "the books are being compared; nothing is sent",
        )


def pending(now: Snapshot, _: AuditFacts) -> Iterator[Check]:
    """Look for cash that was booked because it was small, and that nobody explained."""
    if now.pending:
        yield warn(
            "cash_pending",
            str(plain(now.pending)),
            "0",
            f"{plain(now.pending)} came to be at the broker, within risk.cash_tolerance; say what "
            "it was: `tm reconcile accept --as dividend --reason TEXT`",
        )
    else:
        yield ok("cash_pending", "0", "0", "all cash is explained")


def adds_up(now: Snapshot, _: AuditFacts) -> Iterator[Check]:
    """Check that cash is what flows, income, trades and fees leave, exactly.

    Realised profit is what was received for what was sold less its cost, so cash and the cost of
    what is held are what was put in and what was made. Prices cancel: equity adds up as well.
    """
    ledger = now.ledger
    cost = sum((p.cost for p in ledger.positions.values()), ZERO)
    left = ledger.flows + ledger.income + ledger.realized - ledger.fees - cost
    gap = plain(ledger.cash - left)
    fees = sum((p.fees for p in ledger.positions.values()), ZERO)
    wrong = [
        symbol
        for symbol, p in sorted(ledger.positions.items())
        if p.quantity * p.cost < 0 or (not p.quantity and p.cost)
    ]
    if gap:
        yield breach(
            "ledger",
            str(plain(ledger.cash)),
            str(plain(left)),
            f"cash is {gap} away from flows + income + realized - fees - cost; stop trading and "
            "run `tm verify`",
        )
    if fees != ledger.fees:
        yield breach(
            "ledger",
            str(plain(fees)),
            str(plain(ledger.fees)),
            "the fees of the positions are not the account's fees; run `tm verify`",
        )
    if wrong:
        yield breach(
            "ledger", ", ".join(wrong), "cost and quantity of one sign",
            "these positions have a cost that their quantity cannot have; run `tm verify`",
        )  # fmt: skip
    if not gap and fees == ledger.fees and not wrong:
        yield ok("ledger", 0, 0, "equity is flows + realized + unrealized - fees + income, exactly")


def cash(now: Snapshot, _: AuditFacts) -> Iterator[Check]:
    """Look for money that was never there."""
    held, margin = plain(now.ledger.cash), now.start is not None and now.start.limits.margin
    if held >= 0:
        yield ok("cash", str(held), "0", "cash is not negative")
    elif margin:
        yield warn("cash", str(held), "0", f"{-held} is borrowed; risk.margin allows it")
    else:
        yield breach(
            "cash", str(held), "0", f"{-held} is borrowed and risk.margin is off; sell or deposit"
        )


def holdings(now: Snapshot, _: AuditFacts) -> Iterator[Check]:
    """Look for positions that should not be: unknown, without a price, short, or restricted."""
    held = {s: p.quantity for s, p in sorted(now.ledger.positions.items()) if p.quantity}
    start = now.start
    listed = {*start.restricted, *start.limits.restricted} if start else set()
    shorts_allowed = start is not None and start.limits.allow_short
    odd = {
        "holdings_unknown": (
            breach,
            [s for s in held if s not in now.instruments],
            "held and not in universe.symbols: the gate refuses to trade it; add it and restart",
        ),
        "holdings_unpriced": (
            breach,
            [s for s in held if s not in now.marks],
            "held and never had a price: equity is unknown; see the feed",
        ),
        "holdings_short": (
            breach,
            [s for s, quantity in held.items() if quantity < 0 and not shorts_allowed],
            "held short while risk.allow_short is off; buy it back",
        ),
        "holdings_restricted": (
            warn,
            [s for s in held if s in listed],
            "held and restricted: it may only be reduced",
        ),
    }
    for name, (say, symbols, why) in odd.items():
        if symbols:
            yield say(name, ", ".join(symbols), "none", f"{', '.join(symbols)}: {why}")
        else:
            yield ok(name, 0, 0, "none")
