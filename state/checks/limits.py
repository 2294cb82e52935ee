"""Is the account within its limits, and is anything stopped."""

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Final

from state.denial import Code
from state.evidence import AuditFacts, Check, breach, ok, warn
from state.headroom import Headroom, Meter, headroom
from state.instrument import Symbol
from state.settings import Limits
from state.snapshot import Halting, Snapshot

NEAR: Final = 0.8  # of a limit, from where somebody should look
ROUNDING: Final = 1e-9
FILLED_ON_PURPOSE: Final = frozenset({Meter.GROSS, Meter.NET})
LOSSES: Final = frozenset({Meter.DRAWDOWN, Meter.DAY_LOSS})


def headrooms(now: Snapshot, facts: AuditFacts) -> Iterator[Check]:
    """Hold losses, exposures and the day's budgets against their limits."""
    rooms = headroom(now, facts.at)
    if not rooms:
        yield breach("limits", None, None, "nothing was ever started, so no limit is known")
    yield from map(within, rooms)


def within(room: Headroom) -> Check:
    """Return whether a limit holds.

    From four fifths on it is a warning, except of gross and net, which strategies fill on purpose.
    A loss breaks its limit when it reaches it, anything else when it passes it.
    """
    name, limit = room.meter.value, round(room.limit, 9)
    subject = f" of {room.subject}" if room.subject else ""
    if room.value is None or room.used is None:
        say = warn if room.why == "no session has begun" else breach
        return say(name, None, limit, f"it cannot be measured: {room.why}")
    value, used = room.value, room.used
    told = f"{shown(room.meter, value)}{subject}; the limit is {shown(room.meter, room.limit)}"
    if used > 1 + ROUNDING or (room.meter in LOSSES and used >= 1):
        return breach(name, value, limit, f"{told}: it is broken")
    if used >= NEAR and room.meter not in FILLED_ON_PURPOSE:
        return warn(name, value, limit, f"{told}: {used:.0%} of it is used")
    return ok(name, value, limit, told)


def shown(meter: Meter, value: float) -> str:
    """Return a figure as its limit is thought of: a count, or a share of equity."""
    counts = {Meter.DAY_ORDERS, Meter.ORDER_RATE}
    return f"{value:.0f}" if meter in counts else f"{value:.2%}"


def halts(now: Snapshot, _: AuditFacts) -> Iterator[Check]:
    """Look for halts in force: a person's is a warning, a guard's a breach."""
    for scope, halting in sorted(now.halts.items()):
        yield halted(scope, halting)
    if not now.halts:
        yield ok("halts", 0, 0, "nothing is halted")


def halted(scope: str, halting: Halting) -> Check:
    """Return a halt in force."""
    say = warn if halting.code == Code.TRADING_HALTED else breach
    return say(
        "halts",
        scope,
        "none",
        f"{scope} was halted by {halting.actor} at {halting.at:%Y-%m-%d %H:%M} UTC: "
        f"{halting.reason}; `tm resume` lifts it",
    )


def targets(now: Snapshot, _: AuditFacts) -> Iterator[Check]:
    """Look for targets that the gate would never let be reached."""
    if now.targets is None or now.start is None:
        yield ok("targets", None, None, "no strategy has set a target")
        return
    if now.undecided:
        yield warn(
            "targets", None, None, f"{now.strategy} failed since {now.decided}: {now.undecided}"
        )
        return
    faults = list(unreachable(now.targets, now.start.limits, now))
    if faults:
        yield warn("targets", len(faults), 0, f"{now.strategy}: {'; '.join(faults)}")
    else:
        total = sum(map(abs, now.targets.values()))
        yield ok("targets", total, now.start.limits.max_gross, f"{len(now.targets)} within limits")


def unreachable(wanted: Mapping[Symbol, float], limits: Limits, now: Snapshot) -> Iterator[str]:
    """Yield what is wrong with target weights."""
    for symbol, weight in sorted(wanted.items()):
        if not isfinite(weight):
            yield f"the target of {symbol} is {weight}, no number"
        elif weight and symbol not in now.instruments:
            yield f"{symbol} is not in the universe"
        elif abs(weight) > limits.max_position_weight + ROUNDING:
            yield (
                f"the target of {symbol} is {weight:.2%}, above risk.max_position_weight "
                f"{limits.max_position_weight:.2%}"
            )
        elif weight < 0 and not limits.allow_short:
            yield f"the target of {symbol} is {weight:.2%}, and risk.allow_short is off"
    total = sum(map(abs, wanted.values()))
    if total > limits.max_gross + ROUNDING:
        yield f"targets add up to {total:.2%}, above risk.max_gross {limits.max_gross:.2%}"
