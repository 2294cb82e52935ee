"""What a run of evolution is made of: the prices, the splits, the costs, and who came before."""

from collections.abc import Mapping, Sequence
from datetime import date
from hashlib import blake2b
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from control.protocol import StartEvolution
from daemon.calendar import Calendar
from daemon.engine import Engine
from daemon.feeds.opening import PriceFeed
from state.evolved import Course, Run
from state.settings import Settings
from strategies import evolution
from strategies.fitness import Market, market_of
from strategies.genome import DEFAULT, parsed
from strategies.splits import segments, walk_forward
from strategies.terms import Terms

Array = NDArray[np.float64]

ALL: Final = 100_000  # bars: more than any history has
TRAIN: Final = 0.66  # of the history, unless the command says until when
VALIDATE: Final = 0.82
FEWEST: Final = 500  # bars that a run takes at least


class Unbreedable(Exception):
    """A run can't be made of what was asked; the message says why."""


class Planner:
    """Makes runs of what is configured and of what has closed so far: never of what is to come."""

    def __init__(
        self, engine: Engine, feed: PriceFeed, calendar: Calendar, settings: Settings
    ) -> None:
        self._engine, self._feed = engine, feed
        self._calendar, self._settings = calendar, settings

    def ancestors(self, run: Run) -> Array:
        """Return (A, G) what a run begins with: who was in charge then, and the configured one."""
        known = self._engine.snapshot.evolution.champions
        champion = next((c for c in reversed(known) if c.at <= run.began), None)
        configured = self._configured()
        if champion is None:
            return configured[None, :]
        return np.stack([parsed(champion.genome).array, configured])

    def in_charge(self) -> Array:
        """Return (G,) the genome that trades now, or would if the strategy had one."""
        champion = self._engine.snapshot.evolution.champion
        return self._configured() if champion is None else parsed(champion.genome).array

    def _configured(self) -> Array:
        """Return (G,) the configured genome."""
        parameters: Mapping[str, float] = self._settings.strategy.parameters
        if self._settings.strategy.name != "active_inference":
            parameters = {}
        return DEFAULT.but(**dict(parameters)).array

    def so_far(self) -> tuple[Market, Sequence[date], Terms]:
        """Return all bars that closed here, their sessions, and what trading costs and allows."""
        return *self._history(None), self._terms()

    def _history(self, last: date | None) -> tuple[Market, Sequence[date]]:
        """Return all bars up to a session, or to the last that closed here, and their sessions."""
        newest = last or self._engine.snapshot.session
        before = self._calendar.next_session(newest) if newest else self._settings.replay.start
        if before is None:
            raise Unbreedable("the calendar ends before the history does")
        closes = self._feed.closes(before, ALL)
        column = {symbol: n for n, symbol in enumerate(self._feed.symbols)}
        shape = (len(closes), len(column))
        parts = {name: np.full(shape, np.nan) for name in ("close", "high", "low", "open")}
        for t, close in enumerate(closes):
            for bar in close.bars:
                n = column[bar.symbol]
                for name, part in parts.items():
                    value = getattr(bar, name)
                    if value is not None:
                        part[t, n] = float(value)
        sessions = [close.session for close in closes]
        period = self._settings.trading.rebalance
        due = np.array([self._calendar.ends_period(each, period=period) for each in sessions])
        market = market_of(
            parts["close"], parts["high"], parts["low"], parts["open"], due=due.astype(np.bool_)
        )
        return market, sessions

    @property
    def learns(self) -> bool:
        """Return whether the mind learns, so that a genome's fitness isn't that of who trades."""
        return self._settings.beliefs.learning != "off"

    def check(self) -> None:
        """Raise Unbreedable where what is bred would not be what trades."""
        if self.learns:
            raise Unbreedable(
                f'beliefs.learning = "{self._settings.beliefs.learning}" is on, and evolution '
                'judges genomes that learn nothing; set beliefs.learning = "off" and start again'
            )

    def course(self, ask: StartEvolution) -> tuple[Course, Market, evolution.Course]:
        """Return the run that was asked for; raises Unbreedable."""
        market, sessions = self._history(None)
        if len(sessions) < FEWEST:
            raise Unbreedable(
                f"{len(sessions)} bars of history are too few, a run takes {FEWEST}; "
                "let more close, or replay from a later start"
            )
        chosen = self._settings.evolution

        def at(day: date | None, share: float) -> date:
            return day or sessions[int(len(sessions) * share)]

        asked = Course(
            seed=chosen.seed if ask.seed is None else ask.seed,
            population=ask.population or chosen.population,
            generations=ask.generations or chosen.generations,
            perception_generations=chosen.perception_generations
            if ask.perception_generations is None
            else ask.perception_generations,
            first=sessions[0],
            train_to=at(ask.train_to, TRAIN),
            validate_to=at(ask.validate_to, VALIDATE),
            last=sessions[-1],
            digest="",
            shadow=chosen.shadow,
        )
        course = self._bred_course(asked, sessions)
        digest = self._digest(asked, market, course)
        return msgspec.structs.replace(asked, digest=digest), market, course

    def again(self, asked: Course) -> tuple[Market, evolution.Course]:
        """Return the prices and the terms of a run that was started; raises Unbreedable."""
        self.check()
        market, sessions = self._history(asked.last)
        course = self._bred_course(asked, sessions)
        bare = msgspec.structs.replace(asked, digest="")
        if self._digest(bare, market, course) != asked.digest:
            raise Unbreedable(
                "prices, costs or limits are not those the run began with; start another"
            )
        return market, course

    def _bred_course(self, asked: Course, sessions: Sequence[date]) -> evolution.Course:
        """Return a run in bars."""
        gap = self._settings.evolution.gap
        train = sum(each <= asked.train_to for each in sessions)
        validate = sum(each <= asked.validate_to for each in sessions)
        try:
            parts = segments(len(sessions), train, validate, gap)
            walk_forward(*parts.train, evolution.FOLDS, gap, gap)
        except ValueError as why:
            raise Unbreedable(str(why)) from why
        return evolution.Course(
            seed=asked.seed,
            population=asked.population,
            generations=asked.generations,
            perception_generations=asked.perception_generations,
            parts=parts,
            gap=gap,
            terms=self._terms(),
        )

    def _terms(self) -> Terms:
        """Return what trading costs and allows here."""
        chosen, limits = self._settings, self._settings.risk
        if (start := self._engine.snapshot.start) is not None:
            limits = start.limits
        gross = limits.max_gross
        if not limits.margin:
            gross = min(gross, 1.0 - chosen.execution.cash_reserve)
        return Terms(
            spread=(chosen.paper.slippage_bps + chosen.paper.spread_bps / 2) * 1e-4,
            commission=chosen.paper.commission_bps * 1e-4,
            max_weight=limits.max_position_weight,
            max_gross=gross,
            order_band=chosen.execution.band,
            min_trade=float(chosen.execution.min_trade),
            initial=float(chosen.paper.initial_cash),
            exposures=chosen.beliefs.exposures,
        )

    def _digest(self, asked: Course, market: Market, course: evolution.Course) -> str:
        """Return the hash of everything that a front depends on."""
        names = (name for name in asked.__struct_fields__ if name != "shadow")
        plain = {name: getattr(asked, name) for name in names}
        digest = blake2b(msgspec.json.encode(plain), digest_size=16)
        digest.update(msgspec.json.encode(course.terms))
        for name in market.__struct_fields__:
            digest.update(np.ascontiguousarray(getattr(market, name)).tobytes())
        return digest.hexdigest()
