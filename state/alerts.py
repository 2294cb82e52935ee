"""What a person should be told of: what ails the account, raised once, escalated, cleared."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec.structs import replace

from state.alert import Alert, AlertKind, Ill, Level, Subject, Turn, subject_of
from state.headroom import headroom
from state.order import Status
from state.snapshot import Snapshot

# A link that drops for a moment comes back by itself: nobody is woken for that.
# A measure that touches its limit between two bars is no breach to act on either.
PATIENT: Final = frozenset(
    {
        AlertKind.FEED_STALE,
        AlertKind.BROKER_DOWN,
        AlertKind.GATEWAY_LOGIN,
        AlertKind.LIMIT_BREACHED,
    }
)
# What comes and goes by itself is over once it was fine for as long: one alert, not one a flap.
FLAPPING: Final = PATIENT | {AlertKind.DISK_LOW}
CRITICAL: Final = frozenset({AlertKind.ORDER_UNKNOWN, AlertKind.BOOKS_DIFFER})


class Pace(msgspec.Struct, frozen=True):
    """How long a link may be down before it is told, and anything stand before it is escalated.

    What comes and goes by itself is over when it has been fine for `patience` as well.
    """

    patience: timedelta
    escalate: timedelta


class Standing(msgspec.Struct, frozen=True):
    """What is wrong since `since`; `told` is the level that people were told, None for not yet.

    `fine` is since when nothing is wrong any more, None while it is: such a matter is not over yet.
    """

    ill: Ill
    since: datetime
    told: Level | None = None
    fine: datetime | None = None


def remembered(alerts: Mapping[Subject, Alert]) -> Mapping[Subject, Standing]:
    """Return what stands, of the alerts that the journal holds as standing."""
    return {
        subject: Standing(Ill(told.kind, told.subject, told.message), told.since, told.level)
        for subject, told in alerts.items()
    }


class World(msgspec.Struct, frozen=True):
    """What a snapshot can't know: each says in words what is wrong, "" when nothing is.

    `excused` are matters of which nothing is wrong because their absence was announced.
    """

    feed: str = ""
    broker: str = ""
    gateway: str = ""
    disk: str = ""
    disk_full: bool = False
    excused: frozenset[AlertKind] = frozenset()


def ills(now: Snapshot, world: World, at: datetime) -> tuple[Ill, ...]:
    """Return everything that is wrong; `at` is the market's time, which limits are measured at."""
    found = [
        Ill(AlertKind.FEED_STALE, "feed", world.feed),
        Ill(AlertKind.BROKER_DOWN, "broker", world.broker),
        Ill(AlertKind.GATEWAY_LOGIN, "gateway", world.gateway),
        Ill(AlertKind.DISK_LOW, "journal", world.disk, critical=world.disk_full),
        Ill(AlertKind.STRATEGY_FAILED, now.strategy, now.undecided),
    ]
    found += [
        Ill(AlertKind.HALTED, halt.scope, f"{halt.scope} halted by {halt.actor}: {halt.reason}")
        for halt in now.halts.values()
    ]
    found += [
        Ill(
            AlertKind.LIMIT_BREACHED,
            room.meter,
            f"{room.meter} is {room.value:.4g} of {room.limit:.4g}",
        )
        for room in headroom(now, at)
        if room.value is not None and room.value > room.limit
    ]
    if now.differences:
        some = ", ".join(difference.subject for difference in now.differences[:5])
        message = f"{len(now.differences)} differences to the broker: {some}"
        found.append(Ill(AlertKind.BOOKS_DIFFER, "account", message))
    found += [
        Ill(AlertKind.ORDER_UNKNOWN, order.order_id, f"nobody can say where {order.order_id} is")
        for order in now.orders.values()
        if order.status is Status.UNKNOWN
    ]
    found += failed_evolution(now)
    return tuple(ill for ill in found if ill.message)


def failed_evolution(now: Snapshot) -> Iterable[Ill]:
    """Yield the latest run of evolution, when it failed; a later run makes good for it."""
    runs = list(now.evolution.runs.values())
    if runs and runs[-1].status == "failed":
        last = runs[-1]
        yield Ill(AlertKind.EVOLUTION_FAILED, last.run_id, f"run {last.run_id}: {last.reason}")


def step(
    standing: Mapping[Subject, Standing],
    found: Iterable[Ill],
    at: datetime,
    pace: Pace,
    excused: frozenset[AlertKind] = frozenset(),
) -> tuple[Mapping[Subject, Standing], tuple[Alert, ...]]:
    """Return what stands after a look at `at` (wall time), and what people are to be told of it.

    What stands is told once at each level. What is over before anybody was told goes in silence.
    What flaps is told as over once it was fine for `pace.patience`; until then it stands as it was
    told, and is not raised again. What is excused has not come back: if it was wrong before, it is.
    """
    found = tuple(found)
    seen = {subject_of(ill) for ill in found}
    found += tuple(
        before.ill
        for subject, before in standing.items()
        if before.ill.kind in excused and before.fine is None and subject not in seen
    )
    after: dict[Subject, Standing] = {}
    alerts: list[Alert] = []
    for ill in found:
        subject = subject_of(ill)
        before = standing.get(subject, Standing(ill, at))
        level = due(ill, at - before.since, pace)
        told = before.told
        if level is not None and rank(level) > rank(told):
            alerts.append(
                told_of("raised" if told is None else "escalated", level, ill, before, at)
            )
            told = level
        after[subject] = Standing(ill, before.since, told)
    for subject, before in standing.items():
        if subject in after or before.told is None:
            continue
        fine = at if before.fine is None else before.fine
        if before.ill.kind in FLAPPING and at - fine < pace.patience:
            after[subject] = replace(before, fine=fine)
        else:
            alerts.append(told_of("cleared", before.told, before.ill, before, at))
    return after, tuple(alerts)


def due(ill: Ill, age: timedelta, pace: Pace) -> Level | None:
    """Return the level that an ill of this age should have been told at; None: not yet."""
    if ill.critical or ill.kind in CRITICAL:
        return "critical"
    if ill.kind in PATIENT and age < pace.patience:
        return None
    return "critical" if age >= pace.escalate else "warning"


def rank(level: Level | None) -> int:
    """Return how grave a level is."""
    return 0 if level is None else 1 if level == "warning" else 2


def told_of(turn: Turn, level: Level, ill: Ill, before: Standing, at: datetime) -> Alert:
    """Return the alert of a turn that a matter takes."""
    return Alert(turn, level, ill.kind, ill.subject, ill.message, before.since, at)
