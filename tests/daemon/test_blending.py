"""The strategy `blend` in the daemon: what is backtested trades, and a restart changes no bit."""

from functools import cache

import numpy as np
import pytest
from msgspec.structs import replace

from daemon.belief_rows import bars_of
from daemon.blending import Blend, recipe_of, resumed
from daemon.brokers.ib.arming import approval
from daemon.feeds.bundle import STOCKS, bundled
from daemon.feeds.price_file import read_prices
from daemon.mind import Mind
from daemon.pool import InlinePool
from state.blended import parts
from state.configuration import decode
from state.event import BarsClosed
from state.given import ConfigurationInvalid
from state.instrument import ZERO
from state.quote import Close
from state.snapshot import Snapshot
from strategies.active_inference import decide
from strategies.belief import blank
from strategies.blend import asked, begun, met, packed, together
from strategies.inference import NumpyEngine
from strategies.plugin import StrategyUnusable, load
from strategies.sizing import Limits, targets
from tests.desk import XNYS

TEXT = """
[strategy]
name = "blend"
[blend]
adapt = 0.1
[blend.members.mind]
strategy = "active_inference"
weight = 0.5
min = 0.2
max = 0.8
[blend.members.calm]
strategy = "inverse_volatility"
parameters = { half_life = 30 }
weight = 0.3
max_drawdown = 0.1
[blend.members.even]
strategy = "volatility_target"
parameters = { half_life = 90 }
weight = 0.1
min = 0.05
[beliefs]
engine = "numpy"
"""
BARS = 420
NOTHING = Snapshot()


def recipe(text=TEXT):
    return recipe_of(decode(text, "test", {}).settings, load)


@cache
def closes():
    table = read_prices(bundled(STOCKS), (), fewest=2, source="bundled")
    return tuple(
        Close(XNYS.close_of(day), day, table.bars(row))
        for row, day in enumerate(table.days[: BARS + 1])
    )


@cache
def symbols():
    return tuple(bar.symbol for bar in closes()[0].bars)


def sized(weights):
    return targets(weights, symbols(), max_weight=0.2, max_gross=1.0)


class Run:
    """A blend as the trader carries it, from close to close; halts as the journal would."""

    def __init__(self, text=TEXT):
        self.recipe = recipe(text)
        limits = Limits(0.2, 1.0)
        self.mind = Mind(InlinePool(), self.recipe.model, symbols(), limits, engine="numpy")
        self.blend = Blend(self.recipe, symbols(), self.mind, sized)
        self.now, self.halts, self.journal = Snapshot(), {}, []

    async def wake(self, now=NOTHING):
        async def nothing(_):
            return ()

        await self.mind.wake(now.belief, nothing)
        store, feed = Store(self.journal), Feed()
        await resumed(self.blend, replace(now, halts=self.halts), store, feed, InlinePool())
        return self

    async def play(self, first, last):
        """Play closes by number."""
        for n in range(first, last):
            close = closes()[n]
            window = self.recipe.window
            rows = [
                bars_of(one, symbols()).close for one in closes()[max(0, n + 1 - window) : n + 1]
            ]
            decided = await self.blend.think(close, np.array(rows), self.halts)
            assert decided.why == ""
            self.halts |= {
                f"strategy:{share.name}": None for share in decided.blend.shares if share.fell
            }
            self.now = replace(
                self.now, belief=decided.belief, blend=decided.blend, closed_at=close.at
            )
            self.last = decided
            self.journal.append(
                BarsClosed(close.at, close.session, close.bars, ZERO, ZERO, 0.0, 0.0)
            )
        return self


class Store:
    """The journal's closes."""

    def __init__(self, events):
        self._events = events

    async def read(self, _, count):
        return self._events[-count:]


class Feed:
    """A feed that knows nothing from before the journal."""

    def closes(self, before, count):
        return ()


@cache
def backtested():
    """What the same functions give in a plain loop, without a daemon."""
    made, count = recipe(), len(symbols())
    belief, engine = blank(symbols(), made.model), NumpyEngine(made.model)
    members, history, halted, rows = begun(made.plan, count), [], set(), []
    for close in closes()[:BARS]:
        bars = bars_of(close, symbols())
        rows.append(bars.close)
        members = met(made.plan, members, bars.close, halted)
        halted |= {member.share.name for member in members if member.share.fell}
        thought = decide(made.model, engine, belief, bars, members[0].book.held, Limits(0.2, 1.0))
        belief = thought.belief
        others = [
            one.weights(np.array(rows[-one.window :]), member.book.held)
            for one, member in zip(made.strategies[1:], members[1:], strict=True)
        ]
        wishes = [thought.weights, *others]
        members = asked(made.plan, members, wishes)
        history.append((members, sized(together(members))))
    return history


async def test_live_it_wants_what_a_backtest_does_to_the_bit():
    run = await Run().wake()
    for n, (members, wanted) in enumerate(backtested()):
        await run.play(n, n + 1)
        assert run.last.blend.memory == packed(members)
        assert run.last.targets == wanted
        assert run.last.blend.shares == tuple(member.share for member in members)

    assert run.halts.keys() == {"strategy:calm"}  # both kinds of days were there
    mind, *_ = run.last.blend.shares
    assert mind.capital != 0.5
    assert sum(share.capital for share in run.last.blend.shares) == pytest.approx(0.9)


@pytest.mark.parametrize("stop", [1, 5, 100, 333])
async def test_after_a_restart_it_goes_on_to_the_bit(stop):
    before = await (await Run().wake()).play(0, stop)
    after = Run()
    after.halts = dict(before.halts)
    await (await after.wake(before.now)).play(stop, stop + 40)
    members, wanted = backtested()[stop + 39]

    assert after.last.blend.memory == packed(members)
    assert after.last.targets == wanted


async def test_what_is_missing_is_made_again_of_the_journaled_closes():
    before = await (await Run().wake()).play(0, 300)
    after = Run()
    after.halts, after.journal = dict(before.halts), list(before.journal)
    now = replace(before.now, blend=None)
    await (await after.wake(now)).play(300, 340)
    members, wanted = backtested()[339]

    assert after.last.blend.memory == packed(members)
    assert after.last.targets == wanted


async def test_another_configuration_is_as_if_it_had_always_been_that_one():
    before = await (await Run().wake()).play(0, 60)
    text = TEXT.replace("adapt = 0.1", "adapt = 0.0")
    after = Run(text)
    after.journal = list(before.journal)
    await (await after.wake(before.now)).play(60, 61)

    assert [share.capital for share in after.last.blend.shares] == [0.5, 0.3, 0.1]
    assert after.last.blend.memory == before_and(before, 61)


def before_and(run, bars):
    """Return the books after so many closes: capital is no part of them."""
    return packed(backtested()[bars - 1][0])


async def test_a_close_that_is_not_later_changes_nothing():
    run = await (await Run().wake()).play(0, 30)

    assert await run.blend.think(closes()[29], np.zeros((1, 20)), {}) is None
    assert (await run.play(30, 31)).last.blend.memory == packed(backtested()[30][0])


async def test_when_a_member_cannot_say_nobody_trades_and_its_name_is_told():
    run = await (await Run().wake()).play(0, 30)
    run.mind._awake, run.mind._recall = None, None
    rows = np.array([bars_of(one, symbols()).close for one in closes()[:31]])
    decided = await run.blend.think(closes()[30], rows, {})

    assert decided.targets is None
    assert decided.why.startswith("mind: ")
    assert decided.blend.at == closes()[30].at  # the books met the close all the same


async def test_a_halted_member_that_cannot_say_holds_nobody_up():
    run = await (await Run().wake()).play(0, 30)
    run.mind._awake, run.mind._recall = None, None
    rows = np.array([bars_of(one, symbols()).close for one in closes()[:31]])
    decided = await run.blend.think(closes()[30], rows, {"strategy:mind": None})

    assert decided.why == ""
    asked_for = parts(decided.blend)
    assert decided.targets == {
        symbol: pytest.approx(asked_for["calm"][symbol] + asked_for["even"][symbol])
        for symbol in symbols()
    }


async def test_a_member_that_somebody_halted_is_cash_and_is_resumed():
    run = await (await Run().wake()).play(0, 60)
    run.halts = {"strategy:mind": None, "symbol:KO": None}
    await run.play(60, 61)
    asked_for = parts(run.last.blend)
    assert not any(asked_for["mind"].values())
    assert any(asked_for["calm"].values())
    assert run.blend.halted

    run.halts = {}
    await run.play(61, 62)
    assert not run.blend.halted
    for symbol, target in run.last.targets.items():
        assert target == pytest.approx(sum(one[symbol] for one in parts(run.last.blend).values()))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"inverse_volatility"', '"inverse_volatilty"', "blend.members.calm.*did you mean"),
        ('"inverse_volatility"', '"blend"', "blend.members.calm: there is no blend within a blend"),
        ("half_life = 30", "half_life = 1", "blend.members.calm.*outside 2 to"),
        ('"inverse_volatility"', '"active_inference"', "one member with the mind"),
        ('name = "blend"', 'name = "blend"\nparameters = { a = 1 }', "blend has none"),
    ],
)
def test_what_no_member_can_be_is_refused_by_its_name(old, new, said):
    with pytest.raises(StrategyUnusable, match=said):
        recipe(TEXT.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("min = 0.2", "min = 0.6", "mind.weight = 0.5 is not within 0.6 to 0.8"),
        ("weight = 0.3", "weight = 0.6", "the weights add up to 1.2"),
        ("max_drawdown = 0.1", "max_drawdown = 0", "would halt it at once"),
        ("members.calm", 'members."a b"', "'a b' is no name"),
        ("half_life = 30", "half_life = nan", "calm.parameters"),
    ],
)
def test_capital_that_cannot_be_is_refused(old, new, said):
    with pytest.raises(ConfigurationInvalid) as refused:
        recipe(TEXT.replace(old, new))

    assert said in str(refused.value)


def test_a_blend_of_nobody_is_refused_and_another_strategy_is_none():
    with pytest.raises(ConfigurationInvalid, match="has nobody to ask"):
        recipe('[strategy]\nname = "blend"')
    assert recipe('[strategy]\nname = "buy_and_hold"') is None


def test_an_approval_is_of_every_member():
    settings = decode(TEXT, "test", {}).settings
    sources = recipe().sources

    assert approval(settings, *sources) == approval(settings, *recipe().sources)
    for n in range(len(sources)):
        assert approval(settings, *sources[:n], *sources[n + 1 :]) != approval(settings, *sources)
