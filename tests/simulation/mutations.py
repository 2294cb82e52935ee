"""Bugs on purpose: patches to shipped source, each of which the simulation has to catch.

A mutation is a list of (file, before, after); `before` stands in the file exactly once.
`loaded` lets a process import the patched source instead of what is on disk.
"""

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path

ROOT = Path(__file__).parents[2]

MUTATIONS = {
    "an order is sent before the claim is durable": [
        (
            "daemon/sender.py",
            "        await self._engine.tell(Claim(tuple(o.order_id for o in pending), floor))\n",
            "        import msgspec\n"
            "        first = max(floor, self._engine.snapshot.next_oid)\n"
            "        for oid, early in enumerate(pending, first):\n"
            "            self._broker.place(msgspec.structs.replace(early, broker_oid=oid))\n"
            "        await self._engine.tell(Claim(tuple(o.order_id for o in pending), floor))\n"
            "        return\n",
        )
    ],
    "the idempotency key has the number of the try": [
        (
            "daemon/identity.py",
            "        *(request_id(key), key,",
            "        *(request_id(f'{key}#{next(TRY)}'), key,",
        ),
        ("daemon/identity.py", "def digest_of(", "TRY = iter(range(1 << 60))\n\n\ndef digest_of("),
    ],
    "a halt stops no order that was submitted before": [
        (
            "state/trading.py",
            "        if order.status is Status.PENDING:\n            course.note(OrderStopped(",
            "        if order.status is Status.PENDING:\n            continue\n"
            "        if order.status is Status.PENDING:\n            course.note(OrderStopped(",
        ),
        (
            "state/trading.py",
            "        if (halting := course.now.halting(order.symbol)) and order.source",
            "        if False and (halting := course.now.halting(order.symbol)) and order.source",
        ),
        (
            "state/trading.py",
            '    if order.source != "flatten" and (halting := now.halting(order.symbol)):',
            "    if False and (halting := now.halting(order.symbol)):",
        ),
    ],
    "the halt file is not looked at before a send": [
        ("daemon/sender.py", 'if order.source != "flatten" and self._stopped():', "if False:")
    ],
    "what is in doubt counts for nothing": [
        (
            "state/order.py",
            "        if not self.open:\n            left = min(",
            "        if self.status in IN_DOUBT:\n            return ZERO\n"
            "        if not self.open:\n            left = min(",
        )
    ],
    "a final status releases what its executions have yet to say": [
        ("state/order.py", "left = min(left, self.reported - self.filled)", "left = ZERO")
    ],
    "the answer goes out before the commit": [
        (
            "daemon/engine.py",
            "        if events:\n            batch = Batch(",
            "        for future, answer in answers:\n"
            "            if not future.done():\n"
            "                future.set_result(answer)\n"
            "        if events:\n            batch = Batch(",
        )
    ],
    "a broker order id is used again": [
        (
            "state/apply.py",
            "return replace(after_claim, next_oid=max(now.next_oid, broker_oid + 1))",
            "return replace(after_claim, next_oid=now.next_oid)",
        )
    ],
    "a repeated execution is booked again": [
        (
            "state/booking.py",
            "    if known is not None and said.revision <= known.revision:\n        return\n",
            "    known = None\n",
        )
    ],
    "no answer of the broker is read as flat": [
        (
            "daemon/recovery.py",
            "    book = await broker.book(since - LOOK_BACK if since else None)\n",
            "    try:\n"
            "        book = await broker.book(since - LOOK_BACK if since else None)\n"
            "    except BrokerUnavailable:\n"
            "        book = BrokerBook((), (), {}, now.ledger.cash)\n",
        )
    ],
    "the gate opens before the books are compared": [
        (
            "daemon/link.py",
            "        self._connection = self._broker.connection\n        floor = await",
            "        self._connection = self._broker.connection\n"
            "        self._sender.open(await self._broker.next_oid())\n        floor = await",
        ),
        (
            "daemon/sender.py",
            "if not now.reconciled or not self._connected():",
            "if not self._connected():",
        ),
        (
            "state/trading.py",
            "    if not course.now.reconciled:\n        return\n    outgrown",
            "    outgrown",
        ),
        (
            "daemon/recovery.py",
            "    await engine.tell(RecordReconciliation(started=True))\n    await check(",
            "    await check(",
        ),
    ],
    "a plan is executed after it expired": [
        (
            "state/binding.py",
            "    if moment.wall >= plan.expires_at or (now.replaying and now.bars != plan.bars):",
            "    if False:",
        )
    ],
    "an order is sent for a session that is over": [
        ("state/trading.py", "elif passed(course.now, order, course.moment):", "elif False:"),
        ("state/trading.py", "    if passed(now, order, moment):", "    if False:"),
        (
            "state/marking.py",
            "if order.status is Status.PENDING and order.session",
            "if False and 1",
        ),
    ],
    "what is unseen once was never placed": [
        ("daemon/recovery.py", "    await clock.sleep(settle)\n    seen =", "    seen =")
    ],
    "an order asked back is told cancelled without evidence": [
        (
            "state/trading.py",
            "            course.note(CancelRequested(order.order_id, reason, at))",
            "            from decimal import Decimal\n"
            "            from state.event import OrderCancelled\n"
            "            course.note(OrderCancelled(order.order_id, Decimal(0), reason, at))",
        )
    ],
    "replies are not stored": [
        ("daemon/engine.py", "                commands=tuple(rows.values()),\n", "")
    ],
    "a restart forgets halts": [
        (
            "state/apply.py",
            "        instruments={i.symbol: i for i in start.instruments},\n",
            "        instruments={i.symbol: i for i in start.instruments},\n        halts={},\n",
        )
    ],
    "a commit in doubt is taken for a full disk": [
        (
            "daemon/engine.py",
            "            except JournalFull as e:\n                await self._disk_is_full(",
            "            except Exception as e:\n                await self._disk_is_full(",
        )
    ],
    "executions that were missed are not asked for": [
        (
            "daemon/recovery.py",
            "            engine.report(fill)\n",
            "            pass\n",
        )
    ],
    "cash that the broker may not know of is not told again": [
        ("daemon/recovery.py", "        broker.move_cash(ref, signed)", "        pass")
    ],
    "a connection that came back unseen is trusted": [
        (
            "daemon/sender.py",
            "return self._broker.connected and self._broker.connection == self._connection",
            "return self._broker.connected",
        )
    ],
    "the limit on a position is not kept": [
        (
            "state/guards/exposure.py",
            "    if case.reducing:\n        return None\n    after = case.after\n"
            "    worth = amount(after.stake(case.order.symbol).widest, case.price)\n",
            "    return None\n    after = case.after\n"
            "    worth = amount(after.stake(case.order.symbol).widest, case.price)\n",
        )
    ],
    "the final reply is not the one that is kept": [
        (
            "daemon/engine.py",
            "                            rows[event.rid] = finalised(mine, event)\n",
            "                            rows[event.rid] = replace(mine, final=True)\n",
        )
    ],
    "a corrected execution is not booked": [
        (
            "state/booking.py",
            "    if known is not None and said.revision <= known.revision:\n",
            "    if known is not None:\n",
        )
    ],
    "an older revision is booked over a newer one": [
        ("state/booking.py", "said.revision <= known.revision", "said.revision == known.revision")
    ],
    "a correction that was missed is not asked for": [
        (
            "daemon/recovery.py",
            "if booked is None or booked.revision < fill.revision:",
            "if booked is None:",
        )
    ],
    "somebody else's order is not adopted": [
        (
            "daemon/recovery.py",
            'if told.status == "open" and not (',
            'if told.status == "open" and told.order_ref.startswith(OURS) and not (',
        )
    ],
    "somebody else's order counts for nothing": [
        (
            "state/order.py",
            "        left = abs(self.quantity) - self.filled\n",
            "        if self.external:\n            return ZERO\n"
            "        left = abs(self.quantity) - self.filled\n",
        )
    ],
    "a halt asks back what somebody else ordered": [
        (
            "state/trading.py",
            "        if order.external:\n            continue\n        if order.status is Status.P",
            "        if order.status is Status.P",
        )
    ],
    "a plan is executed that nobody approved": [
        (
            "state/planning.py",
            "    if command.require_approval and plan.state is not PlanState.APPROVED:",
            "    if False:",
        )
    ],
    "a plan is executed that somebody rejected": [
        ("state/binding.py", "    if plan.state is PlanState.REJECTED:", "    if False:")
    ],
    "a saved snapshot lacks the batch it is saved with": [
        (
            "daemon/engine.py",
            "snapshot=now if now.seq - self._saved",
            "snapshot=replace(self.snapshot, seq=now.seq) if now.seq - self._saved",
        )
    ],
    "opening cash counts twice what was traded before": [
        (
            "daemon/recovery.py",
            "            opening = book.cash - now.ledger.cash  #",
            "            opening = book.cash  #",
        )
    ],
    "losses are measured before anybody knows the cash": [
        (
            "state/marking.py",
            "    equity = now.ledger.cash + net if now.funded else ZERO  # nobody",
            "    equity = now.ledger.cash + net  # nobody",
        ),
        ("state/marking.py", "now.start is None or not now.funded or", "now.start is None or"),
    ],
    "nobody compares the books when the line is back": [
        (
            "daemon/link.py",
            "        return self._broker.connected and self._broker.connection == self._connection",
            "        return True",
        ),
        (
            "daemon/sender.py",
            "return self._broker.connected and self._broker.connection == self._connection",
            "return self._broker.connected",
        ),
    ],
    "what is in doubt is looked for at the start only": [
        (
            "daemon/link.py",
            "        floor = await recover(self._engine, self._broker, self._clock, "
            "self._settle)\n",
            "        from daemon.recovery import compare\n"
            "        if self.tried.is_set():\n"
            "            await self._engine.tell(RecordReconciliation(started=True))\n"
            "            await compare(self._engine, self._broker)\n"
            "            floor = await self._broker.next_oid()\n"
            "        else:\n"
            "            floor = await recover(\n"
            "                self._engine, self._broker, self._clock, self._settle)\n",
        ),
        (
            "daemon/link.py",
            "        await check(self._engine, self._broker, self._clock, self._settle, owing)",
            "        from daemon.recovery import compare\n"
            "        await compare(self._engine, self._broker)",
        ),
    ],
    "a cancel that was lost is not sent again": [
        (
            "daemon/recovery.py",
            "            broker.cancel(order)  # the first",
            "            pass  # the first",
        )
    ],
    "two who compare at once book one payment twice": [
        (
            "state/reconciling.py",
            "    if (no := moved_since(course.now, found.differences)) is not None:",
            "    if (no := None) is not None:",
        ),
        ("daemon/comparing.py", "        async with self._turn:", "        if True:"),
    ],
    "a commit in doubt is told as an internal error": [
        (
            "daemon/handlers.py",
            "        except (EngineEnded, CommitInDoubt):",
            "        except ZeroDivisionError:",
        )
    ],
}


class DoesNotApply(Exception):
    """The source a mutation patches is not what it was."""


def patched(name):
    """Return the source of each module that a mutation changes, by module name."""
    sources = {}
    for file, before, after in MUTATIONS[name]:
        source = sources.get(file) or (ROOT / file).read_text()
        if source.count(before) != 1:
            raise DoesNotApply(f"{name}: {file} has {source.count(before)} times: {before!r}")
        sources[file] = source.replace(before, after)
    return {file.removesuffix(".py").replace("/", "."): s for file, s in sources.items()}


class Patching(SourceFileLoader, MetaPathFinder):
    """Imports some modules from other source than their files'."""

    def __init__(self, sources, name="", path=""):
        super().__init__(name, path)
        self._sources = sources

    def find_spec(self, name, path=None, target=None) -> ModuleSpec | None:
        if name not in self._sources:
            return None
        file = str(ROOT / (name.replace(".", "/") + ".py"))
        return spec_from_file_location(name, file, loader=Patching(self._sources, name, file))

    def get_code(self, fullname):
        return compile(self._sources[fullname], self.path, "exec", dont_inherit=True)


def loaded(name):
    """Let this process import a mutation; nothing of the product may be imported yet."""
    sources = patched(name)
    if early := sources.keys() & sys.modules.keys():
        raise RuntimeError(f"imported before it could be patched: {sorted(early)}")
    sys.meta_path.insert(0, Patching(sources))
