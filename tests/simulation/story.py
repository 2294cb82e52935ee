"""What one seed is about: which world, which faults, who asks for what and when."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal as D
from functools import cache

import msgspec
import numpy as np

from control.protocol import Events, Health, Orders, Portfolio, Reconcile, Status, Verify
from daemon.calendar import Calendar, Session
from daemon.feeds.prices import PriceTable
from state.command import (
    ApprovePlan,
    CancelOrders,
    ExecutePlan,
    Halt,
    MakePlan,
    MoveCash,
    Rebalance,
    RejectPlan,
    Resume,
    SubmitOrder,
)
from state.configuration import decode

SYMBOLS = ("KO", "PG")
FIRST = date(2025, 3, 3)
BARS = 10
CONFIG = """
[account]
id = "SIM"
[universe]
symbols = ["KO", "PG"]
[trading]
mode = "{mode}"
rebalance = "1d"
[replay]
start = 2025-03-03
pace = {pace}
[paper]
initial_cash = "100000"
commission_bps = {commission}
slippage_bps = 0.0
partial_fill_rate = {partial}
latency = {latency}
[strategy]
name = "inverse_volatility"
window = 4
[risk]
max_position_weight = 0.4
max_order_notional = "35000"
max_gross = 0.7
max_day_turnover = 100.0
max_day_loss = {loss}
max_drawdown = {drawdown}
[execution]
cash_reserve = 0.0
band = 0.005
"""


class Probabilities(msgspec.Struct):
    """How often what goes wrong, by event."""

    kill: bool = True
    commit: float = 0.0
    statement: float = 0.0
    kill_at_commit: float = 0.0
    kill_before_send: float = 0.0
    kill_after_send: float = 0.0
    request_lost: float = 0.0
    request_late: float = 0.0
    request_twice: float = 0.0
    report_lost: float = 0.0
    report_late: float = 0.0
    report_twice: float = 0.0
    answer_lost: float = 0.0
    line: float = 0.0  # of a client
    exchange: float = 0.0  # crashes a second
    drop: float = 0.0  # lines dropped a second
    full: float = 0.0  # disks full a second
    jump: float = 0.0  # clock jumps a second
    stop: float = 0.0  # clean stops a second
    file: float = 0.0  # halts by file a second
    by_hand: float = 0.0  # orders of others a second
    put_right: float = 0.0  # trades corrected a second


def probabilities(chance):
    """Return what may go wrong in a seed: some of it often, some of it not at all."""
    pick = chance.pick
    return Probabilities(
        kill=pick([True, True, True, False]),
        commit=pick([0.04, 0.02, 0.0, 0.0]),
        statement=pick([0.01, 0.0, 0.0]),
        kill_at_commit=pick([0.05, 0.02, 0.0, 0.0]),
        kill_before_send=pick([0.2, 0.0]),
        kill_after_send=pick([0.3, 0.1, 0.0]),
        request_lost=pick([0.3, 0.1, 0.0]),
        request_late=pick([0.4, 0.1, 0.0]),
        request_twice=pick([0.2, 0.0]),
        report_lost=pick([0.1, 0.0]),
        report_late=pick([0.4, 0.1, 0.0]),
        report_twice=pick([0.2, 0.0]),
        answer_lost=pick([0.2, 0.0]),
        line=pick([0.05, 0.02, 0.0]),
        exchange=pick([0.05, 0.0]),
        drop=pick([0.1, 0.0]),
        full=pick([0.05, 0.0, 0.0]),
        jump=pick([0.1, 0.0]),
        stop=pick([0.05, 0.0]),
        file=pick([0.15, 0.03, 0.0, 0.0]),
        by_hand=pick([0.3, 0.0, 0.0]),
        put_right=pick([0.6, 0.2, 0.0, 0.0]),
    )


@cache
def calendar():
    """Weekdays of a spring, half past two to nine; each Friday is a half day."""
    days = [FIRST + timedelta(days=n) for n in range(-30, 90)]
    return Calendar(
        "SIM",
        "UTC",
        [
            Session(
                day,
                datetime.combine(day, time(14, 30), UTC),
                datetime.combine(day, time(18 if day.weekday() == 4 else 21), UTC),
            )
            for day in days
            if day.weekday() < 5
        ],
    )


@cache
def prices(path):
    """Prices of one path: 0 moves a lot, 3 not at all."""
    days = [day for day in (FIRST + timedelta(days=n) for n in range(40)) if day.weekday() < 5]
    days = days[:BARS]
    rng = np.random.default_rng(path)
    step = (0.02, 0.01, 0.005, 0.0)[path]
    moves = np.exp(np.cumsum(rng.uniform(-step, step, (len(days), 2)), axis=0))
    close = np.round(np.array([50.0, 100.0]) * moves, 2)
    micros = np.rint(close * 1e6).astype(np.int64)
    return PriceTable("simulation", tuple(days), tuple(range(len(days))), SYMBOLS, micros)


@cache
def configured(mode, pace, commission, partial, latency, tight):
    """Return one of the configurations."""
    return decode(
        CONFIG.format(
            mode=mode,
            pace=pace,
            commission=commission,
            partial=partial,
            latency=latency,
            loss=0.004 if tight else 0.9,
            drawdown=0.006 if tight else 0.9,
        ),
        "simulation",
        {},
    )


def configuration(chance):
    """Return the configuration of a seed."""
    return configured(
        chance.pick(["autonomous", "on_command"]),
        chance.pick([4.0, 1.5]),
        chance.pick([1.0, 0.0]),
        chance.pick([0.6, 0.0]),
        chance.pick([0.02, 0.0]),
        chance.pick([True, False, False]),
    )


def asked(chance, world):
    """Return what a client asks for next."""
    kind = chance.pick(
        [
            "halt",
            "resume",
            "resume",
            "cash",
            "plan",
            "plan",
            "reconcile",
            "question",
            "cancel",
            "cancel all",
        ]
        + ["rebalance"] * 3
        + ["order"] * 8
    )
    symbol = chance.pick(SYMBOLS)
    match kind:
        case "halt":
            scope = chance.pick(["account", f"symbol:{symbol}"])
            return Halt("drill", scope, flatten=chance.pick([True, False]))
        case "resume":
            scope = chance.pick([f"symbol:{symbol}", "account"])
            return Resume("over", "ann", scope)
        case "cash":
            return MoveCash(
                chance.pick(["deposit", "withdraw", "dividend"]), D(chance.whole(1, 3000))
            )
        case "plan":
            if world.plans and chance.happens(0.3):
                return ExecutePlan(chance.pick(world.plans))
            return MakePlan()
        case "reconcile":
            return Reconcile()
        case "question":
            return chance.pick(
                [Verify(), Events(), Portfolio(), Orders(open_only=True), Status(), Health()]
            )
        case "cancel":
            mine = sorted(world.disk.orders)
            return CancelOrders(chance.pick(mine)) if mine else CancelOrders()
        case "cancel all":
            return CancelOrders()
        case "rebalance":
            return Rebalance()
    side = chance.pick(["sell", "sell", "buy", "buy", "buy"])
    price = 50 if symbol == "KO" else 100
    limit = chance.pick([D("0.98"), D("1.01"), None, None])
    return SubmitOrder(
        side,
        symbol,
        D(chance.whole(1, 30_000 // price)),
        None if limit is None else (limit * price).quantize(D("0.01")),
    )


def ruling(chance, plan):
    """Return what is done with a plan that was just made: a yes, a no, nothing; and its orders."""
    said = chance.pick([[RejectPlan(plan)], [ApprovePlan(plan)], []])
    return [*said, ExecutePlan(plan, require_approval=chance.pick([True, False]))]


def harmless(ask):
    """Return whether it is a question, that needs no key."""
    return isinstance(ask, Events | Health | Orders | Portfolio | Status | Verify)
