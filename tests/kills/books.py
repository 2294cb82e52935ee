"""The journal held against the paper broker's own book, row by row and to the micro."""

from collections import Counter

from daemon.brokers.paper_venue import DUPLICATE
from state.canonical import micros
from state.chain import load
from state.journal import reader
from state.order import OPEN, Status
from tests.tmd import Tmd

OURS = "SELECT execution_id, order_id, symbol, quantity_u, price_u, fee_u FROM fill"
THEIRS = (
    "SELECT execution_id, order_id, e.symbol, e.quantity_u, price_u, fee_u"
    " FROM executions e JOIN orders USING (broker_oid)"
)
ASKED_BACK = "SELECT 1 FROM intent WHERE status = 'pending_cancel'"
ORDERS = "SELECT order_ref, broker_oid, symbol, quantity_u, status FROM "


def faults(tmd: Tmd) -> list[str]:
    """Everything that is wrong between journal and book, of a daemon that has stopped."""
    found = []
    checked = tmd.verified()
    if not checked.ok:
        found.append(f"the journal: {checked.message}")
    ((count, last),) = tmd.rows("SELECT count(*), max(seq) FROM event")
    if not count == last == checked.seq:
        found.append(f"a gap in the journal: {count} records up to {last}")
    found += [
        f"{orders} orders under the one key {key}"
        for key, orders in tmd.rows(
            "SELECT key, count(*) FROM intent JOIN command USING (rid) WHERE op = 'order'"
            " GROUP BY rid HAVING count(*) > 1"
        )
    ]
    ours, theirs = Counter(tmd.rows(OURS)), Counter(tmd.rows(THEIRS, file="paper.db"))
    found += [f"an execution of the journal only: {row}" for row in ours - theirs]
    found += [f"an execution of the broker only: {row}" for row in theirs - ours]
    return found + misplaced(tmd) + unequal(tmd)


def misplaced(tmd: Tmd) -> list[str]:
    """Orders in the book twice, or otherwise than they were sent, or open on one side only."""
    ours = {ref: (*sent, status) for ref, *sent, status in tmd.rows(ORDERS + "intent")}
    book = tmd.rows(ORDERS + "orders", file="paper.db")
    found = []
    for ref, *placed, status in book:
        *sent, stands = ours.get(ref, (None, None))
        if sent != placed:
            found.append(f"{ref} is {placed} at the broker, and {sent} was sent")
        if (status == "open") != (stands in OPEN):
            found.append(f"{ref} is {status} at the broker, and {stands} in the journal")
    refs = [ref for ref, *_ in book]
    found += [f"{ref} is at the broker twice" for ref, n in Counter(refs).items() if n > 1]
    found += [
        f"{ref} is {status} in the journal, and the broker never saw it"
        for ref, (*_, status) in ours.items()
        if status in OPEN - {Status.PENDING} and ref not in refs
    ]
    doubles = tmd.rows(
        "SELECT order_ref FROM refusals WHERE reason = ?", DUPLICATE, file="paper.db"
    )
    return found + [f"{ref} was sent twice" for (ref,) in doubles]


def unequal(tmd: Tmd) -> list[str]:
    """Where holdings or cash differ."""
    db = reader(tmd.state / "journal.db")
    try:
        now, _ = load(db)
    finally:
        db.close()
    held = {s: micros(p.quantity) for s, p in now.ledger.positions.items() if p.quantity}
    theirs = dict(
        tmd.rows("SELECT symbol, quantity_u FROM positions WHERE quantity_u", file="paper.db")
    )
    ((cash,),) = tmd.rows("SELECT cash_u FROM cash", file="paper.db")
    found = []
    if held != theirs:
        found.append(f"holdings: ours {held}, the broker's {theirs}")
    if micros(now.ledger.cash) != cash:
        found.append(f"cash: ours {micros(now.ledger.cash)}, the broker's {cash}")
    if (halting := now.halting()) is not None and halting.actor in {"reconcile", "disk", "risk"}:
        found.append(f"halted by itself: {halting}")
    return found
