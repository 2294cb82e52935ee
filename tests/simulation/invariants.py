"""What must hold, seen from outside: I1 to I9 of the order path, money, limits, promises.

`Witness` is told what everybody sees: what was committed, sent, arrived, answered.
"""

from collections import Counter, defaultdict
from datetime import timedelta
from decimal import Decimal as D

from msgspec.structs import replace

from control.protocol import Exit, decode_reply, encode
from state.command import CancelOrders, ExecutePlan
from state.denial import Code
from state.event import (
    BarsClosed,
    CashMoved,
    ExecutionCorrected,
    Halted,
    OrderCancelled,
    OrderNotPlaced,
    OrderRejected,
    PlanApproved,
    PlanExecuted,
    PlanRejected,
    Resumed,
)
from state.history import find_commands, orders, recorded
from state.order import OURS, Status, request_id
from state.plan import PlanState
from tests.simulation.others import by_hand

PASSING = {Exit.INTERNAL, Exit.NOT_READY, Exit.PENDING, Exit.NOT_FOUND, Exit.INVALID}
OUR_OID = "SELECT broker_oid FROM intent WHERE order_id = ?"
LAST_LOOK = (
    "SELECT type FROM event WHERE type IN ('started', 'reconcile_started', 'reconciled')"
    " ORDER BY seq DESC LIMIT 1"
)
TRADES = (
    "SELECT order_id, execution_id, e.quantity_u FROM executions e JOIN orders USING (broker_oid)"
    " WHERE e.symbol = ?"
)
LOSSES = {Code.DRAWDOWN, Code.DAY_LOSS}
INITIAL = D(100_000)
RECENT = timedelta(days=5)  # a sale of the session before may still be counted on


class Witness:
    """Everything promised and everything seen, and what does not go together."""

    def __init__(self):
        self.wrongs, self.faults, self.pairs = [], Counter(), Counter()
        self.sends, self.oids = Counter(), {}
        self.replies = defaultdict(dict)  # key -> {"accepted" | "final": (reply, when)}
        self.halts, self.never_placed, self.moves = {}, set(), {}
        self.approved, self.rejected = set(), set()  # plans
        self.named = set()  # orders that somebody asked back by name
        self.revisions = Counter()  # by execution: the highest that was booked

    def wrong(self, what):
        """Note a violation, and when."""
        self.wrongs.append(f"t={self.loop.now:.3f} {what}")

    # The journal

    def reopened(self, snapshot):
        """The daemon read its journal: what was durable before is in it."""
        for scope in self.halts.keys() - snapshot.halts.keys():
            said = self.disk.ask(recorded, 0, None, ["halted", "resumed"])
            last = [one.event for one in said if one.event.scope == scope][-1]
            if not isinstance(last, Resumed):  # by a commit that nobody was told of
                self.wrong(f"I7 the halt of {scope} did not survive a restart")
        self.halts = dict(snapshot.halts)
        self.moves.update(snapshot.cash_moves)
        for plan in snapshot.plans.values():
            self.ruled(plan.plan_id, plan.state)

    def ruled(self, plan_id, state):
        """Somebody said yes or no to a plan, or it was executed: may it be?"""
        if state is PlanState.APPROVED:
            self.approved.add(plan_id)
        elif state is PlanState.REJECTED:
            self.rejected.add(plan_id)
        elif state is PlanState.EXECUTED and plan_id in self.rejected:
            self.wrong(f"I6 plan {plan_id} is executed after it was rejected")

    def committed(self, batch):
        """A batch is durable."""
        for order in batch.orders:
            self.disk.orders[order.order_id] = order
        bars = self.engine.snapshot.bars if self.engine else 0
        funded = self.engine is None or self.engine.snapshot.funded
        for event in batch.events:
            funded = funded or isinstance(event, CashMoved)
            if isinstance(event, BarsClosed) and event.equity and not funded:
                self.wrong(f"I5 equity is told as {event.equity}, and nobody knows the cash yet")
            match event:
                case Halted(scope=scope):
                    self.halts[scope] = event
                    if event.code in LOSSES and self.settings.risk.max_drawdown > 0.5:
                        self.wrong(f"a false halt: {event.reason}")
                case ExecutionCorrected(execution_id=name, revision=revision):
                    if revision <= self.revisions[name]:
                        self.wrong(f"I5 {name} goes back to revision {revision}")
                    self.revisions[name] = revision
                case Resumed(scope=scope):
                    self.halts.pop(scope, None)
                case BarsClosed():
                    bars += 1
                case CashMoved(amount=moved, ref=ref) if ref:
                    self.moves[ref] = moved
                case PlanApproved(plan_id=plan_id):
                    self.ruled(plan_id, PlanState.APPROVED)
                case PlanRejected(plan_id=plan_id):
                    self.ruled(plan_id, PlanState.REJECTED)
                case PlanExecuted(plan_id=plan_id) if self.engine:
                    self.ruled(plan_id, PlanState.EXECUTED)
                    plan = self.engine.snapshot.plans.get(plan_id)
                    if plan and (batch.wall >= plan.expires_at or plan.bars != bars):
                        self.wrong(f"I6 plan {plan_id} is executed after it expired")
                case OrderNotPlaced(order_id=order_id):
                    self.never_placed.add(order_id)
                    if self.at_venue(order_id) is not None:
                        self.wrong(f"I9 {order_id} is told not placed, and the venue has it")
                case OrderCancelled(order_id=order_id) | OrderRejected(order_id=order_id):
                    if self.at_venue(order_id) == "open":
                        self.wrong(f"I9 {order_id} is told final, and is open at the venue")
        self.covers()

    def at_venue(self, order_id):
        """Return what the venue's book says of an order, None when it never saw it."""
        venue = self.venue if self.embedded else self.exchange.venue
        if venue is None:
            return None
        if {f"{OURS}{order_id}", order_id} & venue._book.open.keys():
            return "open"
        rows = venue._file._connection.execute(
            "SELECT status FROM orders WHERE order_id = ?", (order_id,)
        )
        row = rows.fetchone()
        return row[0] if row else None

    # The broker

    def sent(self, order, line):
        """The daemon sends an order: may it?"""
        self.process.alive()
        self.sends[order.order_ref] += 1
        if self.sends[order.order_ref] > 1:
            self.wrong(f"I1 {order.order_ref} is sent twice")
        if self.oids.setdefault(order.broker_oid, order.order_ref) != order.order_ref:
            self.wrong(f"I1 broker order id {order.broker_oid} is used again")
        row = self.disk.ask(lambda db: db.execute(OUR_OID, (order.order_id,)).fetchone())
        if row is None or row[0] != order.broker_oid:
            self.wrong(f"I4 {order.order_id} is sent under {order.broker_oid}; on record: {row}")
        now = self.engine.snapshot
        if order.source != "flatten":
            if now.halting(order.symbol) is not None:
                self.wrong(f"I7 {order.order_id} is sent while halted")
            if (self.folder / "halt").exists():
                self.wrong(f"I7 {order.order_id} is sent in spite of the halt file")
        if not now.reconciled or not line.compared:
            self.wrong(f"I8 {order.order_id} is sent before the books were compared")
        (last,) = self.disk.ask(lambda db: db.execute(LAST_LOOK).fetchone())
        if last != "reconciled":
            self.wrong(f"I8 {order.order_id} is sent after {last}")
        if now.replaying and now.session is not None and order.session <= now.session:
            self.wrong(f"I6 {order.order_id} is sent for {order.session}, which is over")
        if order.status not in {Status.SENDING, Status.UNKNOWN}:
            self.wrong(f"I4 {order.order_id} is sent while {order.status}")
        self.covers()

    def arrived(self, order):
        """An order reaches the venue: it is within the limits, whatever fills."""
        if order.order_id in self.never_placed:
            self.wrong(f"I9 {order.order_id} arrives after it was told not placed")
        account = self.account()
        if account is None or order.broker_oid < account.next_oid:
            return  # its id was seen before, or a later one was: the venue refuses it
        limits = self.settings.risk
        equity = (INITIAL + self.paid_in) * self.most
        gross = D(0)
        for column, symbol in enumerate(self.prices.symbols):
            lowest = D(int(self.prices.close[:, column].min())) / 1_000_000
            units = max(account.positions.get(symbol, D(0)) - self.bought_by_hand(symbol), D(0))
            units += sum(
                (
                    o.left
                    for o in account.open.values()
                    if o.symbol == symbol and o.side > 0 and not by_hand(o.order_id)
                ),
                D(0),
            )
            if order.symbol == symbol and order.quantity > 0:
                units += order.quantity
            worth = units * lowest
            gross += worth - self.credited(symbol, order) * lowest
            if order.quantity > 0 and worth > D(str(limits.max_position_weight)) * equity:
                self.wrong(f"I6 {symbol} could come to {worth:.0f} of {equity:.0f}")
        if order.quantity > 0 and gross > D(str(limits.max_gross)) * equity:
            self.wrong(f"I6 gross could come to {gross:.0f} of {equity:.0f}")
        if order.quantity < 0:
            selling = sum(
                (o.left for o in account.open.values() if o.symbol == order.symbol and o.side < 0),
                -order.quantity,
            )
            if selling > account.positions.get(order.symbol, D(0)):
                self.wrong(f"I6 {order.order_id} sells {order.symbol} short")

    def asked_back(self, order):
        """The daemon asks an order back: somebody else's only if somebody said so."""
        if order.external and order.order_id not in self.named:
            self.wrong(f"I6 {order.order_id} is somebody else's, and is asked back")

    def bought_by_hand(self, symbol):
        """Units that others bought, at times when nobody could know: no limit of ours is broken."""
        return sum((units for name, _, units in self.trades(symbol) if by_hand(name)), D(0))

    def held(self, symbol, account):
        """Units held at the venue, but for what the daemon can't have heard of yet."""
        if self.exchange is None or not self.exchange.others.given:
            return account.positions.get(symbol, D(0))
        now = self.engine.snapshot
        return sum(
            (
                units
                for name, execution, units in self.trades(symbol)
                if not by_hand(name) or name in now.orders or execution in now.executions
            ),
            D(0),
        )

    def trades(self, symbol):
        """Return order, execution and units of each trade that the venue has on record."""
        if self.exchange is None or not self.exchange.others.given:
            return []
        rows = self.exchange.venue._file._connection.execute(TRADES, (symbol,))
        return [(name, execution, D(units_u) / 1_000_000) for name, execution, units_u in rows]

    def credited(self, symbol, order):
        """Units of a symbol that the gate may have counted on being sold: what is rotated."""
        return sum(
            (
                abs(o.quantity) - o.filled
                for o in self.disk.orders.values()
                if o.symbol == symbol and o.quantity < 0 and order.session - o.session < RECENT
            ),
            D(0),
        )

    @property
    def most(self):
        """What equity can at most have become of what was paid in: all in the best symbol."""
        close = self.prices.close
        rise = float((close.max(axis=0) / close.min(axis=0)).max())
        return D(1 + 0.7 * (rise - 1)).quantize(D("0.0001"))

    @property
    def paid_in(self):
        """Cash that came."""
        return sum((max(moved, D(0)) for moved in self.moves.values()), D(0))

    def traded(self):
        """The venue may have traded: our book allowed for it."""
        self.covers()

    def covers(self):
        """What the daemon counts on, at its worst, covers what is true at the venue."""
        account = self.account()
        if account is None or self.engine is None or not self.engine.snapshot.funded:
            return
        now = self.engine.snapshot
        for symbol in self.prices.symbols:
            held = now.ledger.held(symbol)
            buying, selling = now.working(symbol)
            true = self.held(symbol, account)
            if not held - selling <= true <= held + buying:
                self.wrong(
                    f"I6 {symbol}: {true} are held at the venue, we count on {held - selling}"
                    f" to {held + buying}"
                )

    # Clients

    def answered(self, ask, key, reply, asked_at):
        """A client got a reply: it is the same as ever."""
        if reply.error is not None and reply.error.code == "INTERNAL":
            self.wrong(f"a handler failed: {reply.error.message} ({type(ask).__name__})")
        if key is None:
            return
        if reply.key != key and reply.key is not None:
            self.wrong(f"I3 the reply to {key} is about {reply.key}")
        if reply.exit is Exit.CONFLICT:
            self.wrong(f"I3 {key} is told to be a conflict")
        if reply.exit in PASSING:
            return
        if isinstance(ask, CancelOrders) and reply.warnings:
            return  # done while nothing could be written down, and says so
        needed = isinstance(ask, ExecutePlan) and ask.require_approval
        if needed and reply.ok and ask.plan_id not in self.approved:
            self.wrong(f"I6 plan {ask.plan_id} is executed, and nobody approved it")
        plain = replace(reply, replayed=False)
        kind = "accepted" if reply.status == "accepted" else "final"
        known = self.replies[key]
        if kind == "accepted" and "final" in known and known["final"][1] < asked_at:
            self.wrong(f"I3 {key} is accepted again after it was final")
        if kind in known and encode(known[kind][0]) != encode(plain):
            self.wrong(f"I3 {key} got two replies: {known[kind][0]} and {plain}")
        known.setdefault(kind, (plain, self.loop.now, ask))
        for plan in [(reply.data or {}).get("plan_id")] if isinstance(reply.data, dict) else []:
            if plan and plan not in self.plans:
                self.plans.append(plan)

    # The end

    def judge(self):
        """Compare everything with everything."""
        if self.engine is None or self.account() is None:
            self.wrong("liveness: somebody is down at the end")
            return
        now, account = self.engine.snapshot, self.account()
        venue = self.venue if self.embedded else self.exchange.venue
        db = venue._file._connection
        ours = {o.order_id: o for o in self.disk.ask(orders, False, None, 100_000)}
        theirs = {
            row[0]: row
            for row in db.execute("SELECT order_id, status, filled_u, quantity_u FROM orders")
        }
        self.same_money(now, account, db)
        for order_id, order in ours.items():
            status, filled = theirs.get(order_id, (None, None, 0))[1:3]
            if order.filled * 1_000_000 != filled:
                self.wrong(f"I2 {order_id}: {order.filled} filled, {filled / 1e6} at the venue")
            if (status or "nothing") not in AGREE[order.status]:
                self.wrong(f"I2 {order_id} is {order.status}, at the venue {status}")
            if order_id in self.never_placed and status is not None:
                self.wrong(f"I9 {order_id} was told not placed, and is {status} at the venue")
        strange = {name for name in theirs if by_hand(name)}  # over before anybody saw it
        if stray := theirs.keys() - ours.keys() - strange:
            self.wrong(f"I4 the venue has orders that are not on record: {sorted(stray)}")
        self.promises(ours, theirs)
        self.counted = len(theirs)

    def same_money(self, now, account, db):
        """The venue's facts add up, and our book is the same to the micro."""
        held, cash_u = Counter(), 0
        for symbol, quantity_u, price_u, amount_u, fee_u in db.execute(
            "SELECT symbol, quantity_u, price_u, amount_u, fee_u FROM executions"
        ):
            held[symbol] += quantity_u
            cash_u -= amount_u + fee_u
            if (
                quantity_u * price_u != amount_u * 1_000_000
                and abs(quantity_u * price_u - amount_u * 1_000_000) > 500_000
            ):
                self.wrong(f"money: {quantity_u} at {price_u} is {amount_u}")
        (moved_u,) = db.execute("SELECT sum(amount_u) FROM cash_moves").fetchone()
        if now.ledger.cash * 1_000_000 != cash_u + moved_u:
            self.wrong(f"I5 cash is {now.ledger.cash}, at the venue {(cash_u + moved_u) / 1e6}")
        for symbol in self.prices.symbols:
            if now.ledger.held(symbol) * 1_000_000 != held[symbol]:
                self.wrong(f"I5 {symbol}: {now.ledger.held(symbol)}, venue {held[symbol] / 1e6}")
        told = {row[0] for row in db.execute("SELECT execution_id FROM executions")}
        booked = [
            row[0]
            for row in self.disk.ask(
                lambda j: j.execute("SELECT execution_id FROM fill").fetchall()
            )
        ]
        if sorted(booked) != sorted(told):
            self.wrong(f"I5 executions differ: {sorted(told.symmetric_difference(booked))}")

    def promises(self, ours, theirs):
        """Nothing that was promised is lost; a no is a no."""
        keys = list(self.replies)
        stored = self.disk.ask(find_commands, [request_id(key) for key in keys])
        for key in keys:
            known, rid = self.replies[key], request_id(key)
            row = stored.get(rid)
            if not known:
                continue
            if row is None:
                self.wrong(f"I2 the command {key} was acknowledged, and is lost")
                continue
            if row.final and decode_reply(row.reply).status == "accepted":
                self.wrong(f"I3 {key} is over, and its reply on record says that it isn't")
            if "final" in known:
                said = encode(replace(known["final"][0], zone="America/New_York"))
                if not row.final or said != row.reply:
                    self.wrong(f"I3 the final reply to {key} is not the one on record")
                refused = known["final"][0].exit in {Exit.REFUSED, Exit.NOTHING}
                if refused and any(order_id.startswith(f"{rid}.") for order_id in theirs):
                    self.wrong(f"I3 {key} was refused, and has an order")
        moves = {
            event.event.ref: event.event.amount
            for event in self.disk.ask(recorded, 0, None, ["cash_moved"])
            if event.event.ref
        }
        for ref in moves:
            if ref not in stored and not self.by_key(ref):
                self.wrong(f"I2 cash moved without a command: {ref}")

    def by_key(self, rid):
        """Return whether a command is on record, whoever asked for it."""
        return bool(self.disk.ask(find_commands, [rid]))


AGREE = {
    Status.FILLED: {"filled"},
    Status.CANCELLED: {"cancelled", "nothing"},
    Status.BROKER_REJECTED: {"rejected", "nothing"},
    Status.NOT_PLACED: {"nothing"},
    Status.HALTED: {"nothing"},
    Status.EXPIRED: {"nothing"},
    Status.LIVE: {"open"},
    Status.PENDING: set(),
    Status.SENDING: set(),
    Status.UNKNOWN: set(),
    Status.PENDING_CANCEL: set(),
}
