"""Is what is believed sane: known, of the last close, adding up, and still fitting the market."""

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Final

from state.belief import Belief, InstrumentBelief, instruments
from state.evidence import AuditFacts, Check, breach, ok, warn
from state.outlook import DRIFTING
from state.snapshot import Snapshot

ADDING_UP: Final = 1e-4  # a probability is shown to seven digits


def beliefs(now: Snapshot, facts: AuditFacts) -> Iterator[Check]:
    """Look whether the mind thinks at all, and then at what it believes."""
    mind = facts.beliefs
    if mind is None and now.start is None:
        yield warn("beliefs", None, None, "nothing was ever started, so no mind is known")
        return
    if mind is None:
        yield ok("beliefs", None, None, "the strategy has no beliefs")
        return
    if mind.ready:
        yield ok("beliefs", mind.engine, "ready", f"the mind is ready, computed by {mind.engine}")
    else:
        yield breach(
            "beliefs",
            mind.engine,
            "ready",
            f"there are no new targets: {mind.failure}; see the daemon's log",
        )
    if now.belief is None:
        yield warn("belief_sanity", None, None, "nothing is believed yet")
        return
    told = tuple(instruments(now.belief))
    yield sanity(now, now.belief, told)
    yield drift(told)


def sanity(now: Snapshot, belief: Belief, told: Sequence[InstrumentBelief]) -> Check:
    """Return whether beliefs are of the last close, finite, and probabilities."""
    odd = [one.symbol for one in told if not sane(one)]
    reset = [one.symbol for one in told if not one.ok]
    if odd:
        return breach("belief_sanity", len(odd), 0, f"no probabilities: {', '.join(odd)}")
    if reset:
        said = f"begun anew at the last close, with a target of zero: {', '.join(reset)}"
        return warn("belief_sanity", len(reset), 0, said)
    if now.closed_at is not None and belief.at < now.closed_at:
        said = "the last close was not thought about: its targets are older"
        return warn("belief_sanity", belief.at.isoformat(), now.closed_at.isoformat(), said)
    return ok("belief_sanity", 0, 0, f"{len(told)} symbols have a sound belief")


def drift(told: Sequence[InstrumentBelief]) -> Check:
    """Return whether the model is more surprised than it expects to be."""
    worst = max((one.drift for one in told), default=0.0)
    if drifting := [one.symbol for one in told if one.drift > DRIFTING]:
        said = f"the model has ceased to fit {', '.join(drifting)}: evolve anew, or stop"
        return warn("belief_drift", worst, DRIFTING, said)
    said = "the market surprises the model no more than it expects"
    return ok("belief_drift", worst, DRIFTING, said)


def sane(one: InstrumentBelief) -> bool:
    """Return whether a belief is one: probabilities that add up, and a finite weight."""
    return (
        all(isfinite(p) and -ADDING_UP <= p <= 1 + ADDING_UP for p in one.posterior)
        and abs(sum(one.posterior) - 1) < ADDING_UP
        and isfinite(one.weight)
    )
