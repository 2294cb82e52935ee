"""Real money, as far as a test has it: a live account's daemon, on the prices of its gateway."""

import re
import sys
from contextlib import closing
from datetime import UTC, date, datetime
from math import sin
from os import getuid
from pwd import getpwuid

import pytest

from control.protocol import Exit
from daemon.calendar import open_calendar
from state.chain import append, load
from state.command import MakePlan, Promote, Rebalance
from state.event import EvolutionEnded, EvolutionStarted
from state.evolved import Course, Criterion, Member, Verdict
from state.journal import connect
from state.record import Batch
from strategies.genome import DEFAULT, genome_id, genome_text
from tests.ib.gateway.domain import FillPlan, Instrument
from tests.ib.gateway.threaded import ThreadedGateway
from tests.tmd import Tmd

ACCOUNT = "U1234567"
THURSDAY, FRIDAY, MONDAY = (datetime(2026, 3, day, 22, tzinfo=UTC) for day in (5, 6, 9))
BRED = DEFAULT.but(gamma=DEFAULT["gamma"] * 0.9)
CONFIGURATION = """\
[account]
id = "LIVE"
[universe]
symbols = ["KO", "PG"]
[feed]
kind = "ib"
[broker]
kind = "ib"
[ib]
port = {port}
account = "U1234567"
live_account = "U1234567"
first_days = 0
settle = 0.5
preview = false
approved = ""
approved_champion = ""
[strategy]
name = "active_inference"
[beliefs]
engine = "numpy"
[risk]
max_position_weight = 1.0
max_order_notional = "100000000"
max_day_turnover = 100.0
max_day_loss = 1.0
max_drawdown = 1.0
"""


def shares():
    """Two shares with a bar of each session of some years, which rise and fall in turns."""
    days = open_calendar("XNYS", first=date(2021, 1, 1), last=date(2026, 12, 31)).sessions_between(
        date(2021, 1, 4), MONDAY.date()
    )
    closes = [
        [round(50 + 10 * sin(n / 40 + turn) + n / 100, 2) for n in range(len(days))]
        for turn in (0, 2)
    ]
    return [
        Instrument(
            *(1001 + n, symbol, own[-1], "NYSE"),
            stock_type="COMMON",
            daily=[
                (day, close, close * 1.01, close * 0.99, close, 1000.0)
                for day, close in zip(days, own, strict=True)
            ],
        )
        for n, (symbol, own) in enumerate(zip(("KO", "PG"), closes, strict=True))
    ]


class Live(Tmd):
    """A daemon of a live account, on a wall clock that is moved."""

    def __init__(self, folder, port):
        super().__init__(folder, CONFIGURATION.format(port=port))
        self.put(THURSDAY)

    def put(self, at):
        """Let it be `at`, for the daemon and for its gateway."""
        self.offset = (at - datetime.now(UTC)).total_seconds()
        (self.folder / "moved").write_text(str(self.offset))

    def launch(self, *arguments, under=()):
        return super().launch(*arguments, under=(*under, sys.executable, "-m", "tests.ib.moved"))

    def arm(self, key, words):
        """Put the hash in that `words` names, as an operator would who looked it through."""
        (hash_,) = set(re.findall(words, self.said()))
        text = self.file.read_text().replace(f'{key} = ""', f'{key} = "{hash_}"')
        self.file.write_text(text)

    def closed(self, session):
        """Start it if need be, and return once it decided by the close of a session."""
        if self.process is None or self.process.poll() is not None:
            self.start()
        self.until(lambda: self.decided(session))
        return self

    def decided(self, session):
        """Whether it is ready, and a session's close was decided."""
        now = self.data()
        return now["ready"] and (now["feed"]["last_at"] or "")[:10] == f"{session:%F}"

    def bred(self, genome):
        """Let a run of evolution have found a genome that passed every test of the gate."""
        test = Criterion("holdout", 1.0, ">=", 0.0, "Sharpe ratio")
        found = Verdict(True, (test,), 0.97, 0.1, 96, "buy_and_hold", {"sharpe": 1.0}, ())
        days = (date(2021, 1, 4), date(2023, 12, 29), date(2024, 12, 31), date(2025, 12, 31))
        course = Course(1, 32, 1, 1, *days, digest="d")
        id_ = genome_id(genome)
        front = (Member(id_, {"drawdown": -0.1}),)
        with closing(connect(self.state / "journal.db")) as db:
            now, head = load(db)
            ended = EvolutionEnded(
                *("r1", "finished", "", 96, 2.0, front, id_, genome_text(genome), found, now.at)
            )
            began = EvolutionStarted("r1", course, "ann", now.at)
            append(db, Batch([began, ended], THURSDAY), head)
        return id_


@pytest.fixture
def desk(tmp_path):
    clock = {}
    with (
        ThreadedGateway(
            accounts=(ACCOUNT,),
            instruments=shares(),
            clock=lambda: datetime.now(UTC).timestamp() + clock["of"].offset,
            fill_plan=FillPlan(delay=0.01),
        ) as made,
        Live(tmp_path / "live", made.port) as one,
    ):
        clock["of"], one.gateway = one, made
        yield one


def approved(desk):
    """Let an operator approve what `tmd --check` says."""
    desk.prepare()
    assert desk.launch("--check").wait(60) == 7
    desk.arm("approved", r'set \[ib\] approved = "([0-9a-f]{16})"')
    return desk


def test_a_genome_that_was_promoted_trades_no_real_money_until_it_is_approved(desk):
    approved(desk).closed(THURSDAY)
    assert desk.stop() == 0
    id_ = desk.bred(BRED)
    desk.closed(THURSDAY)
    assert desk.ask(MakePlan(), key="before").ok
    who = desk.ask(Promote(id_, "it passed", getpwuid(getuid()).pw_name), key="p")
    assert who.ok, who

    desk.put(FRIDAY)
    desk.closed(FRIDAY)
    for ask in (MakePlan(), Rebalance()):
        refused = desk.ask(ask, key=f"{type(ask).__name__} refused")
        assert (refused.exit, refused.error.code) == (Exit.NOT_READY, "TARGETS_STALE")
        assert "LIVE_NOT_ARMED: a genome was promoted, and nobody approved it" in (
            refused.error.message
        )
    assert not desk.gateway.truth().received

    assert desk.stop() == 0
    desk.arm("approved_champion", r'set \[ib\] approved_champion = \\*"([0-9a-f]{16})')
    desk.put(MONDAY)
    desk.closed(MONDAY)
    done = desk.ask(Rebalance(), key="approved")
    assert done.ok, done
    desk.until(lambda: desk.gateway.truth().received)
