"""What is asked of the mind, answered from the snapshot and the journal."""

from datetime import datetime

from control.protocol import Beliefs, Exit, Fault, Reply
from daemon.seams import Store
from state.belief import Belief
from state.belief_answers import BeliefAnswer, belief_at, beliefs, difference
from state.blended import STRATEGY as BLEND
from state.explain import Explanation
from state.recounting import recounted
from state.snapshot import Snapshot
from state.weighing import Almanac


class Unanswerable(Exception):
    """A question has no answer; `reply` says why."""

    def __init__(self, command: str, status: str, exit_: Exit, fault: Fault) -> None:
        super().__init__(fault.message)
        self.reply = Reply(command, False, status, exit_, error=fault)


async def believed(ask: Beliefs, now: Snapshot, store: Store) -> BeliefAnswer:
    """Return what is, or was, believed; raise Unanswerable."""
    if ask.symbol is not None and ask.symbol not in now.instruments:
        message = f"{ask.symbol} is not in the universe"
        raise missing("UNKNOWN_SYMBOL", message, "`tm config show` lists what is")
    after = now.belief if ask.at is None else await at(ask.at, store)
    if after is None:
        message = "nothing is believed yet"
        if now.start is not None and now.start.strategy not in {"active_inference", BLEND}:
            message = f"the strategy {now.start.strategy} has no beliefs"
        hint = "`tm status` says whether the mind is ready"
        fault = Fault("NO_BELIEFS", message, hint)
        raise Unanswerable("beliefs", "not_ready", Exit.NOT_READY, fault)
    if ask.since is None:
        return beliefs(after, ask.symbol)
    before = await at(ask.since, store)
    if before is None:
        raise missing("NO_BELIEFS", f"nothing was believed at {ask.since.isoformat()}", "")
    return difference(beliefs(before, ask.symbol), beliefs(after, ask.symbol))


async def at(time: datetime, store: Store) -> Belief | None:
    """Return what was believed after the last close up to `time`."""
    return await store.read(belief_at, time)


async def chain_of(id_: str, store: Store, almanac: Almanac | None = None) -> Explanation:
    """Return the chain behind an id; raise Unanswerable."""
    found = await store.read(recounted, id_, almanac)
    if found is None:
        message = f"no order, plan, command, run, session or record is called {id_!r}"
        hint = "`tm orders` lists orders, `tm events` records; a day is written 2020-03-16"
        raise missing("NOT_FOUND", message, hint, "explain")
    return found


def missing(code: str, message: str, hint: str, command: str = "beliefs") -> Unanswerable:
    """Return that there is no such thing."""
    return Unanswerable(command, "not_found", Exit.NOT_FOUND, Fault(code, message, hint))
