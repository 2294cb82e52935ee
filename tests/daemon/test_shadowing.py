"""Candidates are watched on live sessions, by the kernel, before anybody may promote them."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from msgspec.structs import replace

from bench.worlds import noise
from daemon.shadowing import Shadowing
from daemon.workers import WorkersFailed
from state.settings import Evolution
from strategies.fitness import simulated
from strategies.genome import DEFAULT, genome_text
from strategies.terms import Terms
from tests.given import told
from tests.state.test_promoting import COURSE, SHADOWED, after, ended

LIVE = 5  # sessions since the run's last
MARKET = noise(3, bars=120, count=4)
SESSIONS = [COURSE.last + timedelta(days=n + 1 - 120 + LIVE) for n in range(120)]
CANDIDATE = DEFAULT.but(volatility_target=0.05)


class Desk:
    """The engine, the planner, the threads and the workers, as far as shadows need them."""

    learns = False

    def __init__(self, snapshot, last, fails=False):
        self.snapshot, self.fails = replace(snapshot, session=last), fails
        self.workers_open = False

    def moment(self):
        return SimpleNamespace(at=SHADOWED.at)

    async def tell(self, command):
        self.snapshot = told(self.snapshot, command).now

    async def run(self, work, *given):
        return work(*given)

    def so_far(self):
        count = sum(each <= self.snapshot.session for each in SESSIONS)
        return MARKET.until(count), SESSIONS[:count], Terms()

    def in_charge(self):
        return DEFAULT.array

    async def begin(self, history):
        self.workers_open = True
        return history

    async def each(self, work, pieces):
        if self.fails:
            raise WorkersFailed("three times")
        return [work(*piece) for piece in pieces]

    async def end(self):
        self.workers_open = False

    def watched(self, folder):
        """The shadow of the run after one look."""
        shadowing = Shadowing(self, self, self, Evolution(), folder, self)
        asyncio.run(shadowing.watch())
        return self.snapshot.evolution.runs["r1"].shadow


@pytest.fixture
def waiting():
    """A run whose candidate passed the gate and has 3 live sessions to stand."""
    return after(SHADOWED, replace(ended(), candidate=genome_text(CANDIDATE)))


def test_a_candidate_is_watched_beside_who_is_in_charge_on_sessions_its_run_never_saw(
    waiting, tmp_path
):
    desk = Desk(waiting, SESSIONS[-3])
    shadow = desk.watched(tmp_path)
    genes = np.stack([CANDIDATE.array, DEFAULT.array])
    seen = simulated(MARKET.until(118), genes, Terms()).returns[115:]

    assert (shadow.sessions, shadow.last) == (3, SESSIONS[-3])
    assert [shadow.growth, shadow.in_charge] == (np.prod(1 + seen, axis=0) - 1).tolist()
    assert shadow.growth != shadow.in_charge
    assert not desk.snapshot.evolution.runs["r1"].in_shadow
    assert not desk.workers_open


def test_nothing_is_done_before_another_session_closed(waiting, tmp_path):
    assert Desk(waiting, COURSE.last).watched(tmp_path).last is None


def test_nobody_is_compared_with_a_mind_that_learns(waiting, tmp_path):
    desk = Desk(waiting, SESSIONS[-1])
    desk.learns = True

    assert desk.watched(tmp_path).last is None


def test_what_cannot_be_watched_is_not_promotable_and_harms_nobody(waiting, tmp_path):
    desk = Desk(waiting, SESSIONS[-1], fails=True)

    assert desk.watched(tmp_path).sessions == 0
    assert desk.snapshot.evolution.runs["r1"].in_shadow
    assert not desk.workers_open
