"""Words for stories told in events: given what happened, when asked, then what follows."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

from state.apply import replay
from state.command import Cause
from state.decider import decide
from state.event import BarsClosed, CashMoved, Event, Reconciled, Start, Started
from state.instrument import Instrument
from state.moment import Moment
from state.order import request_id
from state.quote import Bar
from state.settings import Execution, Limits
from state.snapshot import Snapshot
from state.unfolding import Unavailable, Unfolding

MONDAY, TUESDAY, WEDNESDAY = date(2025, 3, 3), date(2025, 3, 4), date(2025, 3, 5)
CLOSE = datetime(2025, 3, 3, 21, tzinfo=UTC)
WALL = datetime(2026, 1, 5, 12, tzinfo=UTC)
MOMENT = Moment(at=CLOSE, wall=WALL, session=MONDAY, target=TUESDAY)
LIMITS = Limits(
    max_position_weight=0.6,
    max_order_notional=D(1_000_000),
    max_day_turnover=2.0,
    max_drawdown=0.25,
)


def start(limits: Limits = LIMITS, execution: Execution | None = None, **fields) -> Start:
    """Return the settings of a run on two stocks."""
    words = {
        "version": "0",
        "config_hash": "0",
        "account": "TEST",
        "base_currency": "USD",
        "mode": "replay",
        "calendar": "XNYS",
        "strategy": "test",
        "instruments": (Instrument("KO"), Instrument("PG")),
        "cost_bps": 0.0,
    }
    return Start(
        **(words | fields), limits=limits, execution=execution or Execution(cash_reserve=0.0)
    )


def bars(ko: object, pg: object, *, day: int = 0, cash: object = 100_000, held=(), targets=None):
    """Return a close `day` days after Monday; equity follows from `cash` and (symbol, quantity)."""
    prices = {"KO": D(str(ko)), "PG": D(str(pg))}
    value = sum((D(str(q)) * prices[s] for s, q in held), D(0))
    return BarsClosed(
        CLOSE + timedelta(days=day),
        MONDAY + timedelta(days=day),
        tuple(Bar(symbol, price) for symbol, price in prices.items()),
        D(str(cash)) + value,
        D(str(cash)),
        0.0,
        0.0,
        targets,
    )


def funded(*events: Event, cash: object = 100_000, run: Start | None = None) -> Snapshot:
    """Return a reconciled account with `cash`, KO at 50 and PG at 100, after `events`."""
    return replay(
        Snapshot(),
        [
            Started(run or start(), CLOSE),
            CashMoved("initial", D(str(cash)), "the broker's cash", CLOSE),
            Reconciled((), CLOSE),
            bars(50, 100, cash=cash, targets={"KO": 0.5, "PG": 0.25}),
            *events,
        ],
    )


def cause(op: str = "test", key: str = "key") -> Cause:
    """Return who asks."""
    return Cause(request_id(key), key, op, "ann", "digest")


def asked(now: Snapshot, command, moment: Moment = MOMENT, key: str = "key") -> Unfolding:
    """Return what a client's command led to."""
    decided = decide(now, command, moment, cause(key=key))
    assert isinstance(decided, Unfolding), decided
    return decided


def told(now: Snapshot, report, moment: Moment = MOMENT) -> Unfolding:
    """Return what a report led to."""
    decided = decide(now, report, moment)
    assert isinstance(decided, Unfolding), decided
    return decided


def unavailable(now: Snapshot, command, moment: Moment = MOMENT) -> Unavailable:
    """Return why a command can't be answered."""
    decided = decide(now, command, moment, cause())
    assert isinstance(decided, Unavailable), decided
    return decided


def kinds(course: Unfolding) -> list[str]:
    """Return the names of what happened, without the receipt of the command."""
    names = [type(event).__name__ for event in course.events]
    return [name for name in names if name != "CommandReceived"]


def the(course: Unfolding, kind):
    """Return the one event of a kind."""
    (found,) = [event for event in course.events if isinstance(event, kind)]
    return found
