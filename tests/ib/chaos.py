"""A desk that trades through a gateway at which everything goes wrong, by a seed.

python -m tests.ib.chaos --seeds 20 --start 1 [--orders 60] [--faults 50]
"""

import argparse
import asyncio
import logging
import random
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from functools import partial
from pathlib import Path

from control.protocol import Exit
from daemon.brokers.ib.broker import InteractiveBroker
from daemon.brokers.ib.gateway import Address
from daemon.link import Link
from state.command import CancelOrders, SubmitOrder
from state.history import last_not_placed
from state.instrument import Instrument
from state.order import Status
from state.quote import Bar, Close
from tests.desk import CONFIG, XNYS, desk
from tests.ib.desk import ACCOUNT, Desk, gateway
from tests.ib.gateway.domain import FillPlan
from tests.ib.gateway.domain import Instrument as Listed
from tests.ib.gateway.server import FakeIBGateway

SPEED = 50  # seconds of the product's in one of ours
PATIENCE = 3.0  # real seconds for an answer: a slow machine has to do in it
AGREED = 120.0  # real seconds within which all is known, once everything works again
WIDE = CONFIG.replace("max_position_weight = 0.6", "max_position_weight = 5.0").replace(
    "max_day_turnover = 2.0",
    "max_day_turnover = 100.0\nmax_gross = 5.0\nmax_net = 5.0\nmax_day_loss = 1.0\n"
    "max_drawdown = 1.0\nmargin = true\nallow_short = true\nmax_orders_per_minute = 1000000\n"
    "max_day_orders = 1000000",
)
UNBOUND = """\
max_gross = 5.0
max_net = 5.0
margin = true
allow_short = true
max_orders_per_minute = 1000000
max_day_orders = 1000000
"""
OPEN = {status.value for status in Status} - {
    "filled", "cancelled", "broker_rejected", "expired", "halted", "not_placed",
}  # fmt: skip
READS = (
    "openOrder", "orderStatus", "openOrderEnd", "execDetails", "execDetailsEnd", "position",
    "positionEnd", "completedOrder", "completedOrdersEnd", "accountDownloadEnd",
    "updateAccountValue", "managedAccounts", "nextValidId", "contractDetails", "contractDetailsEnd",
    "commissionReport",
)  # fmt: skip
ENDS = tuple(kind for kind in READS if kind.endswith("End"))
REPORTS = ("openOrder", "orderStatus", "execDetails", "commissionReport")


class Hurried:
    """The loop's time, `SPEED` times as fast, from a Monday before the open."""

    def __init__(self):
        self._began = asyncio.get_running_loop().time()
        self._wall = datetime(2025, 3, 3, 12, tzinfo=UTC)

    def mono(self):
        return (asyncio.get_running_loop().time() - self._began) * SPEED

    def wall(self):
        return self._wall + timedelta(seconds=self.mono())

    async def sleep(self, seconds):
        await asyncio.sleep(seconds / SPEED)


class Chaos:
    """Draws what goes wrong next, and counts it."""

    def __init__(self, gateway, chance):
        self._gateway, self._chance = gateway, chance
        self.counted = {}
        self._undo = []

    def strike(self):
        """Let one thing go wrong."""
        kind = self._chance.choice(sorted(FAULTS))
        self.counted[kind] = self.counted.get(kind, 0) + 1
        undo = FAULTS[kind](self._gateway, self._chance)
        if callable(undo):
            self._undo.append((time.monotonic() + self._chance.uniform(0.05, 0.6), undo))

    def mend(self, now=None):
        """Undo what has lasted long enough."""
        now = time.monotonic() if now is None else now
        for at, undo in list(self._undo):
            if at <= now:
                self._undo.remove((at, undo))
                undo()

    def over(self):
        """Let everything work again."""
        self.mend(float("inf"))
        self._gateway.clear_faults()
        if not self._gateway.upstream_up:
            self._gateway.connectivity_restored()

    @property
    def total(self):
        return sum(self.counted.values())


def upstream(gateway, chance):
    gateway.connectivity_lost(chance.choice(("queue", "silent", "reject", "lose")))
    data_lost = chance.random() < 0.5
    return lambda: None if gateway.upstream_up else gateway.connectivity_restored(data_lost)


def restart(gateway, chance):
    gateway.next_id.clear()  # the ids are rolled back
    gateway._spawn(gateway.restart(chance.uniform(0.02, 0.3), chance.choice(("fin", "rst"))))


def corrected(gateway, chance):
    live = [e for e in gateway.executions if not e.superseded and e.order.ref]
    if live:
        one = chance.choice(live)
        gateway.correct(one.exec_id, price=round(one.price + chance.choice((-0.01, 0.01)), 2))


def late(gateway, chance):
    over = [o for o in gateway.orders if o.status == "Cancelled" and o.remaining >= 1 and o.ref]
    if over:
        gateway.late_fill(chance.choice(over), 1)


def cancelled(gateway, chance):
    if live := [o for o in gateway.orders if o.live and o.ref]:
        gateway.cancel_by_broker(chance.choice(live))


def unnumbered(gateway, chance):
    gateway.numbers_late = True

    def numbered():
        gateway.numbers_late = False
        for order in gateway.orders:
            if order.live:
                gateway._report_order(order)

    return numbered


def of_line(action):
    def strike(gateway, chance):
        action(gateway, chance.choice(READS), chance)

    return strike


FAULTS = {
    "the line breaks": lambda g, c: g.drop(how=c.choice(("rst", "fin"))),
    "the line breaks before a message": of_line(lambda g, k, c: g.drop_on(k, "before")),
    "the line breaks in a message": of_line(lambda g, k, c: g.drop_on(k, "mid")),
    "the line breaks after a message": of_line(lambda g, k, c: g.drop_on(k, "after")),
    "accepted, and the line breaks": lambda g, c: g.drop_after_accept(),
    "unread, and the line breaks": lambda g, c: g.drop_before_accept(),
    "an end never comes": lambda g, c: g.swallow(c.choice(ENDS)),
    "a report never comes": lambda g, c: g.swallow(c.choice(("orderStatus", "openOrder"))),
    "a report comes twice": lambda g, c: g.duplicate(c.choice(REPORTS)),
    "a report comes late": lambda g, c: g.delay(c.choice(REPORTS), c.uniform(0.05, 0.5)),
    "the status comes before the fill": lambda g, c: g.reorder("execDetails", "orderStatus"),
    "the gateway freezes": lambda g, c: g.freeze(),
    "the gateway restarts": restart,
    "the gateway loses its servers": upstream,
    "the client id is in use": lambda g, c: g.hold_client_id(17, c.uniform(0.05, 0.3)) or g.drop(),
    "an order is refused": lambda g, c: g.reject_next_order(after_ack=c.random() < 0.5),
    "an order is remarked upon": lambda g, c: g.notice_next_order(399, "only a warning"),
    "a fill is before the cancel": lambda g, c: g.fill_on_next_cancel(),
    "an execution is corrected": corrected,
    "an execution comes after the end": late,
    "the exchange cancels": cancelled,
    "permanent ids come late": unnumbered,
}  # fmt: skip


@asynccontextmanager
async def trading(folder, gateway, clock):
    """Run a desk that a link opens and closes, with the real adapter over TCP."""
    report = []

    def through(_paper):
        return InteractiveBroker(
            Address("127.0.0.1", gateway.port, 17, ACCOUNT),
            (Instrument("KO"), Instrument("PG")),
            "USD",
            listener=lambda told: report[0](told),
            clock=clock,
            chance=lambda: 0.0,
            patience=PATIENCE,
        )

    async with desk(folder, config=WIDE, between=through, opened=False) as one:
        report.append(one.engine.report)
        resume = partial(one.trader.resume, partial(one.store.read, last_not_placed))
        link = Link(one.engine, one.broker, one.sender, clock, 10.0, resume)
        task = asyncio.create_task(link.run())
        try:
            yield one
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if task.done() and not task.cancelled() and task.exception():
                raise task.exception()


def gateway_at(clock, seed=7):
    """A gateway with two shares, whose account is told as often as a real one's for its clock."""
    return FakeIBGateway(
        instruments=[
            Listed(1001, "KO", 50.0, "NYSE", stock_type="COMMON"),
            Listed(1002, "PG", 100.0, "NYSE", stock_type="COMMON"),
        ],
        fill_plan=FillPlan(parts=(0.3, 0.3, 0.4), delay=0.05),
        account_update_interval=180.0 / SPEED,
        max_msgs_per_second=1_000_000,
        clock=lambda: clock.wall().timestamp(),
        seed=seed,
    )


async def asked(one, command, key, chaos):
    """Ask until it is decided: what is not ready is asked again under the same key."""
    end = time.monotonic() + AGREED
    while True:
        chaos.mend()
        reply = await one.say(command, key=key)
        if reply.exit is not Exit.NOT_READY:
            return reply
        assert time.monotonic() < end, f"{key} is never decided: {reply.error}"
        await asyncio.sleep(0.05)


async def lived(folder, seed, orders, faults):
    """Trade `orders` under at least `faults`; return what was wrong in the end, and the counts."""
    chance = random.Random(seed)
    clock = Hurried()
    async with gateway_at(clock, seed) as fake:
        chaos = Chaos(fake, chance)
        async with trading(folder, fake, clock) as one:
            await until(lambda: one.now.reconciled, "it is never ready")
            await one.trader.on_close(first_close())
            for n in range(orders):
                await asked(one, drawn(chance, {"KO": 50, "PG": 100}), f"o{n}", chaos)
                while chaos.total < faults * (n + 1) / orders:
                    chaos.strike()
                    await asyncio.sleep(chance.uniform(0.0, 0.1))
                    chaos.mend()
                if chance.random() < 0.2:
                    await asked(one, CancelOrders(), f"c{n}", chaos)
            chaos.over()
            found = await agreed(one, fake, chaos)
    fake.check()
    return found, chaos.counted


def killed(folder, seed, orders, faults, kills):
    """Trade as `lived` does, with the daemon a process that is killed and started again.

    Return what was wrong in the end, the faults, and how often it was killed.
    """
    chance = random.Random(seed)
    deaths = set(chance.sample(range(1, orders), kills))
    with (
        gateway(fill_plan=FillPlan(parts=(0.3, 0.3, 0.4), delay=0.05), seed=seed) as made,
        Desk(folder / "desk", made.port, patience=2.0, more=UNBOUND) as tmd,
    ):
        tmd.trading()
        chaos, died = Chaos(made.behind, chance), 0
        for n in range(orders):
            command = drawn(chance, {"KO": 40.79, "PG": 80.94})
            if n in deaths:  # with the order on its way, wherever it is
                tmd.ask(command, key=f"o{n}", wait=0.0)
                tmd.kill()
                died += 1
                tmd.start()
            told(tmd, command, f"o{n}", made, chaos)
            while chaos.total < faults * (n + 1) / orders:
                made.call(chaos.strike)
                time.sleep(chance.uniform(0.0, 0.1))
                made.call(chaos.mend)
            if chance.random() < 0.2:
                told(tmd, CancelOrders(), f"c{n}", made, chaos)
        made.call(chaos.over)
        end, n, found = time.monotonic() + 2 * AGREED, 0, ["nothing was compared"]
        while found and time.monotonic() < end:
            n += 1
            told(tmd, CancelOrders(), f"end{n}", made, chaos)
            time.sleep(0.5)
            found = unlike(tmd, made)
        made.check()
    return found, chaos.counted, died


def told(tmd, command, key, made, chaos):
    """Ask a daemon until it is decided, whatever happens to the answer on its way."""

    def decided():
        made.call(chaos.mend)
        return tmd.ask(command, key=key, wait=0.0).exit is not Exit.NOT_READY

    tmd.until(decided, 2 * AGREED)


def unlike(tmd, made):
    """Return in words how what the daemon says differs from what the gateway did."""
    now, book = tmd.data(), tmd.books()
    return wrong(
        made.truth(),
        {one["symbol"]: float(one["quantity"]) for one in book["positions"]},
        book["cash"],
        [(o["order_id"], o["status"]) for o in tmd.orders() if o["status"] in OPEN],
        now["reconciled"] and now["broker"]["connected"],
        [halt["reason"] for halt in now["halts"]],
    )


def wrong(truth, held, cash, unfinished, gate, halts):
    """Return in words how a book differs from the truth, and what is not over in it."""
    found = [f"{order_id} is {status}" for order_id, status in unfinished]
    if held != truth.positions:
        found.append(f"held {held}, the gateway has {truth.positions}")
    if abs(float(cash) - truth.cash["USD"]) > 0.005:
        found.append(f"cash {cash}, the gateway has {truth.cash['USD']:.4f}")
    if twice := truth.duplicates():
        found.append(f"sent more than once: {twice}")
    if not gate:
        found.append("the gate is closed")
    found += [f"halted: {reason}" for reason in halts]
    if any(order.live for order in truth.orders):
        found.append("orders rest at the gateway")
    return found


def first_close():
    """The close that gives both a price."""
    day = XNYS.next_session(datetime(2025, 3, 2, tzinfo=UTC).date())
    return Close(XNYS.close_of(day), day, (Bar("KO", D(50)), Bar("PG", D(100))))


def drawn(chance, prices):
    """Return an order of no great size, by the market or at a limit that may rest."""
    symbol, price = chance.choice(sorted(prices.items()))
    side = chance.choice(("buy", "buy", "sell"))
    limit = None
    if chance.random() < 0.4:
        limit = D(str(round(price * (1 + chance.choice((-0.02, 0.02))), 2)))
    return SubmitOrder(side, symbol, D(chance.randrange(3, 200)), limit)


async def until(true, why):
    """Return once something is so; raise AssertionError with what it waits for otherwise."""
    end = time.monotonic() + AGREED
    while not true():
        assert time.monotonic() < end, why
        await asyncio.sleep(0.02)


async def agreed(one, gateway, chaos):
    """Return how the books differ from the truth, once every order is over."""
    n = 0
    end = time.monotonic() + AGREED
    found = ["nothing was compared"]
    while found and time.monotonic() < end:
        if one.now.reconciled and one.now.open_orders:
            n += 1
            await asked(one, CancelOrders(), f"end{n}", chaos)  # what rests is asked back
        await asyncio.sleep(0.2)
        found = differences(one, gateway)
    return found


def differences(one, gateway):
    """Return in words how what we know differs from what the gateway did."""
    now = one.now
    return wrong(
        gateway.truth(),
        {symbol: float(p.quantity) for symbol, p in now.ledger.positions.items() if p.quantity},
        now.ledger.cash,
        [(order.order_id, order.status) for order in now.orders.values()],
        now.reconciled,
        [halt.reason for halt in now.halts.values()],
    )


def main():
    asked_for = argparse.ArgumentParser(prog="python -m tests.ib.chaos", description=__doc__)
    asked_for.add_argument("--seeds", type=int, default=20)
    asked_for.add_argument("--start", type=int, default=1)
    asked_for.add_argument("--orders", type=int, default=60)
    asked_for.add_argument("--faults", type=int, default=50)
    asked_for.add_argument("--kills", type=int, default=0, help="of a daemon in its own process")
    asked_for.add_argument("--verbose", action="store_true")
    given = asked_for.parse_args()
    shown = logging.StreamHandler()
    form = "%(relativeCreated)7d %(name)s %(message)s %(detail)s"
    shown.setFormatter(logging.Formatter(form, defaults={"detail": ""}))
    logging.basicConfig(
        level=logging.INFO if given.verbose else logging.CRITICAL + 1, handlers=[shown]
    )
    bad = 0
    for seed in range(given.start, given.start + given.seeds):
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            if given.kills:
                of = given.orders, given.faults, given.kills
                found, counted, _ = killed(folder, seed, *of)
            else:
                found, counted = asyncio.run(lived(folder, seed, given.orders, given.faults))
        bad += bool(found)
        words = "; ".join(found) or "agrees"
        print(f"seed {seed}: {words} ({sum(counted.values())} faults of {len(counted)} kinds,"
              f" {time.monotonic() - began:.1f} s)", flush=True)  # fmt: skip
    return min(bad, 1)


if __name__ == "__main__":
    sys.exit(main())
