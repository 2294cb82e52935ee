"""Everything the page shows, made of the same answers that `tm` gets."""

from collections import deque
from datetime import date
from typing import Any, Final

import msgspec

from daemon.engine import Engine
from daemon.evolution_answers import summary
from daemon.questions import orders_and_keys
from daemon.replies import builtin
from daemon.seams import Store
from daemon.watch import Watch
from state import answers
from state.belief_answers import beliefs
from state.headroom import equity
from state.history import recorded
from state.snapshot import Snapshot
from state.status import status

TAIL: Final = 25  # journal records
ORDERS: Final = 30
TODAY: Final = 600  # points of the day's curve
JOBS: Final = 5
# Of twenty symbols each: they would be most of the view, and parts of their own show them.
LEFT_OUT: Final = ("bars", "targets", "belief", "blend")


class Viewer:
    """Makes the view. It remembers the day's equity, which no journal record holds.

    The tail of the journal is remembered too, as it is shown: a record never changes, and to decode
    the closes of twenty symbols again for each view would be most of its cost to the loop.
    """

    def __init__(self, engine: Engine, store: Store, watch: Watch, zone: str) -> None:
        self._engine, self._store, self._watch, self._zone = engine, store, watch, zone
        self._today: deque[tuple[str, float]] = deque(maxlen=TODAY)
        self._session: date | None = None
        self._tail: deque[dict[str, Any]] = deque(maxlen=TAIL)

    async def view(self) -> bytes:
        """Return the view as one line of JSON."""
        await self._follow_the_journal()
        orders = await self._store.read(orders_and_keys, False, None, ORDERS)
        now, facts = self._engine.snapshot, self._watch.status_facts()
        self._follow_the_day()
        shown: dict[str, Any] = {
            "zone": self._zone,
            "status": builtin(status(now, facts)),
            "health": builtin(self._watch.health()),
            "portfolio": builtin(answers.portfolio(now)),
            "orders": [builtin(order) for order in reversed(orders)],
            "beliefs": None if now.belief is None else builtin(beliefs(now.belief)),
            "jobs": jobs(now),
            "records": list(reversed(self._tail)),
            "today": list(self._today),
        }
        return msgspec.json.encode(shown)

    async def _follow_the_journal(self) -> None:
        """Read the records that are new, and keep the last."""
        after = max(self._last(), self._engine.head.seq - TAIL)
        for record in await self._store.read(recorded, after, TAIL):
            if record.seq > self._last():  # another view may have been made meanwhile
                shown = {"seq": record.seq, **builtin(record.event)}
                for whole in LEFT_OUT:
                    shown.pop(whole, None)
                self._tail.append(shown)

    def _last(self) -> int:
        """Return the number of the last record that is shown, 0 before any."""
        return int(self._tail[-1]["seq"]) if self._tail else 0

    def _follow_the_day(self) -> None:
        """Keep another point of the day's curve; a new session begins a new one."""
        now = self._engine.snapshot
        worth = equity(now)
        if now.session != self._session:
            self._session = now.session
            self._today = deque(list(self._today)[-1:], maxlen=TODAY)
        if worth is not None and now.at is not None:
            point = (now.at.isoformat(), float(worth))
            if not self._today or self._today[-1] != point:
                self._today.append(point)


def jobs(now: Snapshot) -> list[dict[str, Any]]:
    """Return the last runs of evolution in brief, the newest first."""
    return [summary(run) for run in reversed(list(now.evolution.runs.values())[-JOBS:])]
