"""The mind in the daemon: it goes on bit for bit, says what went wrong, and is in nobody's way."""

import asyncio
from functools import cache

import numpy as np
import pytest
from msgspec.structs import replace

from daemon.belief_rows import column
from daemon.feeds.bundle import STOCKS, bundled
from daemon.feeds.price_file import read_prices
from daemon.mind import Mind
from daemon.pool import InlinePool, ThreadPool
from daemon.thinking import Past
from state.belief import instruments
from state.canonical import body_of, event_in
from state.event import BarsClosed
from state.instrument import ZERO
from state.quote import Close
from strategies.belief import WARM_UP, belief_bytes, belief_of
from strategies.genome import DEFAULT
from strategies.market_model import model_hash, tables
from strategies.sizing import Limits
from tests.desk import XNYS
from tests.strategies.test_learning import forced

SYMBOLS = ("AAPL", "KO", "XOM")
MODEL = tables(DEFAULT)
LIMITS = Limits(0.5, 1.0)
NOTHING = np.zeros(len(SYMBOLS))


@cache
def closes(count=120, symbols=SYMBOLS):
    """Real closes from 1990 on."""
    table = read_prices(bundled(STOCKS), symbols, fewest=2, source="bundled")
    return tuple(
        Close(XNYS.close_of(day), day, table.bars(row))
        for row, day in enumerate(table.days[:count])
    )


def mind(pool=None, model=MODEL, symbols=SYMBOLS, **more):
    return Mind(pool or InlinePool(), model, symbols, LIMITS, engine="numpy", **more)


async def nothing_past(count):
    return []


async def awake(last=None, recall=nothing_past, **made):
    one = mind(**made)
    await one.wake(last, recall)
    return one


async def thought(one, some, held=NOTHING):
    """Think about closes in turn; what is held is what was wanted, as if all traded at once."""
    outcomes = []
    for close in some:
        outcomes.append(await one.think(close, held))
        held = np.array(list(outcomes[-1].targets.values()))
    return outcomes


def from_disk(belief):
    """A belief as a restart finds it."""
    close = closes()[0]
    event = BarsClosed(close.at, close.session, close.bars, ZERO, ZERO, 0.0, 0.0, belief=belief)
    return event_in(body_of(event)).belief


async def test_a_restart_goes_on_bit_for_bit():
    whole = await thought(await awake(), closes())
    before = await thought(await awake(), closes()[:70])

    one = await awake(from_disk(before[-1].belief))
    held = np.array(list(before[-1].targets.values()))
    after = await thought(one, closes()[70:], held)

    assert one.facts().origin == "stored"
    assert [*before, *after] == whole


async def test_a_belief_of_another_model_is_refused_and_rebuilt_from_the_closes():
    other = tables(DEFAULT.but(kappa=3.0))
    old = (await thought(await awake(model=other), closes()[:80]))[-1].belief
    asked = []

    async def recall(count):
        asked.append(count)
        return [Past(close) for close in closes()[:80]]

    one = await awake(old, recall)
    fresh = await awake()
    for close in closes()[:80]:
        expected = await fresh.think(close, NOTHING)

    assert one.facts().origin == "rebuilt"
    assert asked
    assert old.model_hash != one.facts().model_hash
    next_close = closes()[80]
    assert await one.think(next_close, NOTHING) == await fresh.think(next_close, NOTHING)
    assert expected is not None


async def test_damaged_bytes_are_refused(caplog):
    belief = (await thought(await awake(), closes()[:30]))[-1].belief
    broken = replace(belief, memory=belief.memory[:-1] + b"\x00")

    one = await awake(broken)

    assert "belief_unreadable" in caplog.text
    assert one.facts().origin == "blank"


async def test_a_bad_row_is_reset_wants_nothing_and_raises_the_alarm(caplog):
    before = await thought(await awake(), closes()[:80])
    held = belief_of(before[-1].belief.memory)
    rows = held.rows.copy()
    rows[1, :6] = np.nan
    bad = replace(before[-1].belief, memory=belief_bytes(replace(held, rows=rows)))

    good = await (await awake(before[-1].belief)).think(closes()[80], NOTHING)
    one = await awake(bad)
    outcome = await one.think(closes()[80], NOTHING)

    assert outcome.targets["KO"] == 0.0 != good.targets["KO"]
    others, same = (column(each.belief, "exposure") for each in (outcome, good))
    assert (others["AAPL"], others["XOM"]) == (same["AAPL"], same["XOM"])
    assert one.facts().reset == ("KO",)
    assert "belief_reset" in caplog.text
    assert [row.ok for row in instruments(outcome.belief)] == [True, False, True]
    await one.think(closes()[81], NOTHING)
    assert one.facts().reset == ()


class Refusing(InlinePool):
    """A pool whose work fails while it is told to."""

    failing = False

    async def run(self, work, *args, **kwargs):
        if self.failing:
            raise MemoryError("no memory for that")
        return await super().run(work, *args, **kwargs)


async def test_a_failure_means_no_new_targets_and_the_next_close_goes_on(caplog):
    pool = Refusing()
    one = await awake(pool=pool)
    await thought(one, closes()[:40])
    pool.failing = True

    assert await one.think(closes()[40], NOTHING) is None
    assert not one.facts().ready
    assert one.facts().failure == "no memory for that"
    assert "mind_failed" in caplog.text

    pool.failing = False
    assert (await one.think(closes()[41], NOTHING)).belief.at == closes()[41].at
    assert one.facts().ready


async def test_a_mind_that_can_t_wake_tries_again_at_the_next_close():
    pool = Refusing()
    pool.failing = True
    one = await awake(pool=pool)
    assert await one.think(closes()[0], NOTHING) is None

    pool.failing = False
    assert await one.think(closes()[1], NOTHING) is not None


class Slow(InlinePool):
    """A pool whose work takes until it is let go."""

    def __init__(self):
        self.go = asyncio.Event()
        self.go.set()

    async def run(self, work, *args, **kwargs):
        found = await super().run(work, *args, **kwargs)
        await self.go.wait()
        return found


async def test_one_that_takes_too_long_is_not_waited_for(caplog):
    pool = Slow()
    one = await awake(pool=pool)
    whole = await thought(await awake(), closes()[:3])
    first = await one.think(closes()[0], NOTHING)
    pool.go.clear()
    one.patience = 0.0

    assert await one.think(closes()[1], NOTHING) is None
    assert await one.think(closes()[1], NOTHING) is None
    assert "mind_busy" in caplog.text

    pool.go.set()
    one.patience = 60.0
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    again = await one.think(closes()[1], NOTHING)
    assert (first.belief, again.belief) == (whole[0].belief, whole[1].belief)


async def test_closes_that_were_missed_are_caught_up_with_bit_for_bit():
    await missed_and_caught_up_with("numpy")


async def missed_and_caught_up_with(engine):
    """Hold a mind that fails for some closes to one that never does."""

    def made(pool):
        return Mind(pool, MODEL, SYMBOLS, LIMITS, engine=engine)

    pool, whole = Refusing(), made(InlinePool())
    one = made(pool)
    for each in (whole, one):
        await each.wake(None, nothing_past)
    held = np.array([0.3, 0.2, 0.1])
    for n, close in enumerate(closes()[:60]):
        undisturbed = await whole.think(close, held * (n % 3))
        pool.failing = n in {20, 21, *range(40, 52)}  # however long it lasts
        found = await one.think(close, held * (n % 3))
        assert found is None if pool.failing else found == undisturbed


async def test_what_came_while_a_bar_took_too_long_is_caught_up_with_in_order():
    pool = Slow()
    one, whole = await awake(pool=pool), await awake()
    undisturbed = [await whole.think(close, NOTHING) for close in closes()[:30]]
    for close in closes()[:20]:
        await one.think(close, NOTHING)
    pool.go.clear()
    one.patience = 0.0
    for close in closes()[20:25]:
        assert await one.think(close, NOTHING) is None
    pool.go.set()
    one.patience = 60.0
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert await one.think(closes()[25], NOTHING) == undisturbed[25]
    assert one.facts().ready


async def test_a_restart_catches_up_with_the_closes_that_have_no_belief():
    whole = await thought(await awake(), closes()[:60])
    held = dict(zip(SYMBOLS, whole[49].targets.values(), strict=True))
    last = from_disk(whole[49].belief)
    asked = []

    async def recall(count):
        asked.append(count)
        known = [Past(close, held) for close in closes()[:50]]
        return [*known, *(Past(close) for close in closes()[50:55])][-count:]

    one = await awake(last, recall)
    never_gone = await awake(last)
    weights = np.array(list(held.values()))
    for close in closes()[50:55]:
        await never_gone.think(close, weights)

    assert one.facts().origin == "stored"
    assert asked == [1, WARM_UP]
    after = await one.think(closes()[55], weights)
    assert after == await never_gone.think(closes()[55], weights)


async def test_a_restart_without_such_closes_reads_one():
    belief = from_disk((await thought(await awake(), closes()[:30]))[-1].belief)
    asked = []

    async def recall(count):
        asked.append(count)
        return [Past(closes()[29])]

    await awake(belief, recall)
    assert asked == [1]


class Choking(InlinePool):
    """A pool that fails at a certain close, whenever that is to be thought about."""

    def __init__(self, bad):
        self.bad = bad

    async def run(self, work, *args, **kwargs):
        told = [one.close if isinstance(one, Past) else one for one in args]
        if any(isinstance(one, Close) and one == self.bad for one in told):
            raise ArithmeticError("no such bar can be thought about")
        return await super().run(work, *args, **kwargs)


async def test_a_close_that_nobody_can_think_about_is_left_out_alone_after_some_tries(caplog):
    one, without = await awake(pool=Choking(closes()[30])), await awake()
    for n, close in enumerate(closes()[:34]):
        found = await one.think(close, NOTHING)
        expected = None if n == 30 else await without.think(close, NOTHING)
        assert found == (expected if n < 30 else None)
    assert "close_skipped" not in caplog.text

    found = await one.think(closes()[34], NOTHING)
    assert "close_skipped" in caplog.text
    assert found == await without.think(closes()[34], NOTHING)
    assert await one.think(closes()[35], NOTHING) == await without.think(closes()[35], NOTHING)


async def test_symbols_come_and_go_while_the_others_go_on():
    before = await thought(await awake(), closes()[:80])
    one = await awake(before[-1].belief, symbols=("XOM", "AAPL", "PG"))
    told = {i.symbol: i for i in instruments(before[-1].belief)}

    quiet = Close(closes()[80].at, closes()[80].session, ())
    outcome = await one.think(quiet, NOTHING)
    kept = {i.symbol: i for i in instruments(outcome.belief)}

    assert set(kept) == {"XOM", "AAPL", "PG"}
    assert kept["XOM"].posterior == told["XOM"].posterior
    assert kept["PG"].weight == 0.0
    assert one.facts().origin == "stored"


async def test_a_close_without_a_bar_leaves_what_is_held():
    one = await awake()
    await thought(one, closes()[:80])
    partial = replace(closes()[80], bars=closes()[80].bars[:1])

    outcome = await one.think(partial, np.array([0.1, 0.25, 0.05]))

    assert (outcome.targets["KO"], outcome.targets["XOM"]) == (0.25, 0.05)
    surprises = column(outcome.belief, "surprise")
    assert np.isfinite(surprises["AAPL"])
    assert np.isnan(surprises["KO"])


async def test_a_model_that_doesn_t_fit_raises_the_alarm(caplog):
    tame = tables(DEFAULT.but(s_calm=0.25, s_normal=0.5, s_stressed=0.9, df=60.0))
    one = await awake(model=tame)
    await thought(one, closes(400))

    assert one.facts().drifting
    assert "belief_drifts" in caplog.text

    fitting = await awake()
    await thought(fitting, closes(400))
    assert fitting.facts().drifting == ()


async def test_the_thread_is_another_and_what_it_says_is_the_same():
    pool = ThreadPool("mind")
    try:
        threaded = await thought(await awake(pool=pool), closes()[:50])
    finally:
        await pool.aclose(5.0)

    assert threaded == await thought(await awake(), closes()[:50])


async def test_a_thread_hands_back_what_was_raised():
    pool = ThreadPool("mind")
    with pytest.raises(ZeroDivisionError):
        await pool.run(lambda: 1 / 0)
    await pool.aclose(5.0)


async def test_another_genome_in_charge_is_thought_by_from_the_next_close_on():
    """As if it had been in charge from the start: its belief is rebuilt from the closes."""
    other = tables(DEFAULT.but(kappa=3.0))

    async def recall(count):
        return [Past(close) for close in closes()[:80]]

    one = await awake(recall=recall)
    await thought(one, closes()[:80])
    await one.become(other)
    after = await thought(one, closes()[80:])

    fresh = await awake(recall=recall, model=other)
    assert after == await thought(fresh, closes()[80:])


def taught(outcome):
    """Return the bytes of a belief, every symbol's learned filter far in the lead."""
    held = forced(belief_of(outcome.belief.memory))
    return replace(outcome.belief, memory=belief_bytes(held))


async def test_a_mind_that_learns_restarts_bit_for_bit_and_says_what_it_uses():
    begun = await thought(await awake(learning=True), closes()[:40])
    start = from_disk(taught(begun[-1]))
    one = await awake(start, learning=True)
    assert one.facts().learned == SYMBOLS

    whole = await thought(one, closes()[40:])
    before = await thought(await awake(start, learning=True), closes()[40:80])
    held = np.array(list(before[-1].targets.values()))
    resumed = await awake(from_disk(before[-1].belief), learning=True)
    after = await thought(resumed, closes()[80:], held)

    assert resumed.facts().origin == "stored"
    assert [*before, *after] == whole
    assert all(row.learned for row in instruments(whole[0].belief))
    assert resumed.facts().learning == "A"


async def test_learning_on_and_off_again_is_as_if_it_had_never_been():
    """Nothing is rebuilt by the change: the trained filter was there all along."""
    plain = await thought(await awake(), closes()[:80])
    held = np.array(list(plain[-1].targets.values()))
    begun = await awake(from_disk(plain[-1].belief), learning=True)
    lived = await begun.think(closes()[80], held)
    off = await awake(from_disk(taught(lived)))
    expected = await awake(from_disk(plain[-1].belief))
    same = await expected.think(closes()[80], held)

    assert begun.facts().origin == off.facts().origin == "stored"
    assert lived.belief.model_hash != plain[-1].belief.model_hash == same.belief.model_hash
    held = np.array(list(same.targets.values()))
    close = closes()[81]
    assert await off.think(close, held) == await expected.think(close, held)
    assert off.facts().learning == "off"
    assert off.facts().learned == ()


async def test_without_learning_the_bytes_are_of_the_first_format():
    outcome = (await thought(await awake(), closes()[:3]))[-1]

    assert outcome.belief.memory[:2] == b"\x96\x01"
    assert outcome.belief.model_hash == model_hash(MODEL)
