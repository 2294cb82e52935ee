"""The gateway's daily restart: when nothing new is sent, and how long its absence is no news."""

from datetime import UTC, date, datetime, timedelta

import pytest
from msgspec.structs import replace

from control.commands.status import link
from control.protocol import Health, Status
from daemon.brokers.ib.broker import InteractiveBroker
from daemon.brokers.ib.configured import GatewayImpossible
from daemon.brokers.ib.examining import restarting
from daemon.brokers.ib.gateway import Address
from daemon.brokers.ib.keeper import ALARM, Keeper
from daemon.brokers.ib.restarting import cautioned, restart_of
from daemon.calendar import Calendar, Session
from daemon.clock import FakeClock, SystemClock
from daemon.permit import permit_of
from daemon.seams import Pausing
from state.command import Rebalance
from state.settings import BrokerChoice, InteractiveBrokers, Settings
from tests.ib.awaiting import until
from tests.ib.conftest import ACCOUNT
from tests.ib.desk import Desk, gateway

NIGHTLY = InteractiveBrokers(
    account=ACCOUNT,
    restart="23:45 America/New_York",
    restart_before=120.0,
    restart_after=600.0,
)


def at(day, clock):
    return datetime.fromisoformat(f"{day}T{clock}+00:00")


@pytest.mark.parametrize(
    ("now", "left"),
    [
        (at("2026-01-07", "04:42:59"), 0),
        (at("2026-01-07", "04:43:00"), 720),
        (at("2026-01-07", "04:54:59"), 1),
        (at("2026-01-07", "04:55:00"), 0),
        (at("2026-07-07", "03:43:00"), 720),  # in summer an hour earlier
        (at("2026-07-07", "04:43:00"), 0),
    ],
)
def test_the_window_is_around_a_time_of_day_in_its_zone(now, left):
    assert restart_of(NIGHTLY).left(now) == left


@pytest.mark.parametrize("day", ["2026-03-08", "2026-11-01"])
def test_a_night_in_which_the_clocks_change_has_one_window(day):
    restart = restart_of(replace(NIGHTLY, restart="01:30 America/New_York"))
    start = at(day, "00:00:00")
    windows = {restart.window(start + timedelta(minutes=m)) for m in range(24 * 60)} - {None}
    assert len(windows) == 1


def test_it_says_why_and_until_when():
    restart = restart_of(NIGHTLY)
    assert "daily restart, until 2026-01-07 04:55:00 UTC" in restart.said(
        at("2026-01-07", "04:50:00")
    )
    assert restart.said(at("2026-01-07", "12:00:00")) == ""


def test_it_is_off_unless_it_is_set():
    assert restart_of(InteractiveBrokers()) is None


@pytest.mark.parametrize(
    "wrong", ["23:45", "24:45 UTC", "noon UTC", "23:45 Mars/Olympus", "23:45 ../etc/passwd"]
)
def test_what_is_no_time_of_day_with_a_zone_starts_nothing(wrong):
    ib = replace(NIGHTLY, restart=wrong)
    with pytest.raises(GatewayImpossible, match=r"ib\.restart is .*23:45 America/New_York"):
        permit_of(Settings(broker=BrokerChoice(kind="ib"), ib=ib), object())


def test_a_window_without_length_is_refused():
    with pytest.raises(GatewayImpossible, match="both 0"):
        restart_of(replace(NIGHTLY, restart_before=0.0, restart_after=0.0))


def test_a_window_in_a_session_is_warned_of_with_the_day():
    opens = datetime(2026, 7, 6, 13, 30, tzinfo=UTC)
    sessions = [
        Session(date(2026, 7, 6), opens, opens + timedelta(hours=6, minutes=30)),
        Session(date(2026, 7, 7), opens + timedelta(days=1), opens + timedelta(days=1, hours=3.5)),
    ]
    two = Calendar("TWO", "America/New_York", sessions)
    today = date(2026, 7, 1)
    for clock, day in (("16:01", "2026-07-06"), ("09:20", None), ("09:21", "2026-07-06")):
        said = cautioned(replace(NIGHTLY, restart=f"{clock} America/New_York"), two, today)
        assert day in said if day else said == "", clock
    half = replace(NIGHTLY, restart="14:00 America/New_York")
    assert "2026-07-06" in cautioned(half, two, today)
    assert cautioned(half, two, date(2026, 7, 7)) == ""  # closed by then
    assert cautioned(NIGHTLY, two, today) == ""


def outage(clock):
    """A keeper of a gateway that is never there, by that clock."""
    restart = restart_of(NIGHTLY)

    def absent():
        raise AssertionError("the gateway is not there to be made")

    async def nothing(_gateway):
        raise AssertionError("nobody listens")

    return Keeper(absent, nothing, clock, lambda: 0.5, lambda: restart.left(clock.wall()))


@pytest.mark.parametrize(
    ("lost", "told"),
    [
        (at("2026-01-07", "04:44:00"), at("2026-01-07", "05:00:00")),  # the window's end, and 300 s
        (at("2026-01-07", "04:54:59"), at("2026-01-07", "05:00:00")),
        (at("2026-01-07", "04:56:00"), at("2026-01-07", "05:01:00")),  # outside: 300 s
        (at("2026-01-07", "04:40:00"), at("2026-01-07", "04:45:00")),  # lost before: not for this
    ],
)
def test_who_is_lost_in_the_window_is_missed_from_its_end_on(lost, told):
    clock = FakeClock(lost, runs=False)
    keeper = outage(clock)
    clock.advance((told - lost).total_seconds() - 1)
    assert keeper.alarm == ""
    clock.advance(1)
    assert "no gateway with its servers" in keeper.alarm


async def opened(fake, clock, restart):
    broker = InteractiveBroker(
        Address("127.0.0.1", fake.port, 7, ACCOUNT),
        (),
        "USD",
        listener=print,
        clock=clock,
        chance=lambda: 0.0,
        patience=30.0,
        restart=restart,
    )
    await until(lambda: broker.connected, 30)
    return broker


class Shifted(SystemClock):
    """The machine's clocks, minutes passing in tenths of a second, begun at a time of choice."""

    def __init__(self, begin):
        self._begin, self._from = begin, super().mono()

    def mono(self):
        return (super().mono() - self._from) * 600

    def wall(self):
        return self._begin + timedelta(seconds=self.mono())


@pytest.mark.parametrize(
    ("lost", "expected"), [("04:44:00", True), ("12:00:00", False)], ids=["inside", "outside"]
)
async def test_a_gateway_that_stays_away_is_told_by_when_it_was_lost(fake, caplog, lost, expected):
    begin = at("2026-01-07", lost)
    clock = Shifted(begin)
    broker = await opened(fake, clock, restart_of(NIGHTLY))
    assert isinstance(broker, Pausing)
    assert bool(broker.paused) is expected
    await fake.stop()
    try:
        await until(lambda: broker.alarm, 30)
        away = (clock.wall() - begin).total_seconds()
        assert away >= (ALARM + 660 if expected else ALARM)
        assert broker.paused == ""
        await until(lambda: "gateway_down" in caplog.messages, 60)
        (first, *_) = (r.seconds for r in caplog.records if r.message == "gateway_down")
        assert first >= ALARM
    finally:
        await broker.aclose()


async def test_a_restart_in_the_window_ends_connected_again_and_nobody_is_told(fake, caplog):
    clock = Shifted(at("2026-01-07", "04:44:00"))
    broker = await opened(fake, clock, restart_of(NIGHTLY))
    number = broker.connection
    try:
        await fake.restart(0.2)
        await until(lambda: broker.connection > number and broker.connected, 30)
        assert broker.alarm == ""
        assert "gateway_down" not in caplog.messages
    finally:
        await broker.aclose()


@pytest.mark.parametrize(
    ("restart", "warned"), [("12:00 America/New_York", True), ("23:45 America/New_York", False)]
)
def test_a_check_warns_of_a_window_in_a_session_and_ends_well(tmp_path, restart, warned):
    desk = Desk(tmp_path / "desk", 4002)
    text = desk.file.read_text()
    desk.file.write_text(text.replace("[ib]\n", f'[ib]\nrestart = "{restart}"\n'))
    desk.prepare()
    assert desk.launch("--check").wait(60) == 0
    assert ("warning: nothing new is sent around ib.restart" in desk.said()) is warned
    assert "the configuration is valid" in desk.said()


def test_the_status_says_beside_the_broker_what_it_is_not_to_be_sent():
    there = {"kind": "ib", "connected": True, "account": ACCOUNT, "paused": "until 04:55 UTC"}
    assert link(there) == "connected, until 04:55 UTC"
    assert link(there | {"paused": "", "connected": False}) == "NOT CONNECTED"


def test_the_doctor_says_whether_it_is_on():
    on = restarting(NIGHTLY, at("2026-01-07", "04:50:00"))
    assert (on.grade, "until 2026-01-07 04:55:00 UTC" in on.found) == ("warn", True)
    assert restarting(NIGHTLY, at("2026-01-07", "12:00:00")).grade == "ok"
    assert (
        "ib.restart is not set"
        in restarting(InteractiveBrokers(), at("2026-01-07", "12:00:00")).found
    )


@pytest.mark.nightly  # a whole window of the real clock; by day the clock is a fake
def test_a_daemon_sends_nothing_in_the_window_and_says_until_when(tmp_path):
    now = datetime.now(UTC)
    clock = (now - timedelta(minutes=1)).strftime("%H:%M")
    until_then = 45 + (now - now.replace(second=0, microsecond=0)).total_seconds() + 60
    window = f'restart = "{clock} UTC"\nrestart_before = 0\nrestart_after = {until_then:.0f}\n'
    with gateway() as made, Desk(tmp_path / "desk", made.port) as desk:
        text = desk.file.read_text()
        desk.file.write_text(text.replace("[ib]\n", "[ib]\n" + window))
        desk.start().until(lambda: (d := desk.data())["reconciled"] and d["feed"]["last_at"])
        reply = desk.ask(Rebalance(), key="k")
        assert reply.ok, reply
        health = desk.ask(Health())
        assert not health.ok
        assert "the gateway's daily restart, until" in health.error.message
        assert "daily restart" in desk.ask(Status()).data["broker"]["paused"]
        made.restart(0.5)
        desk.until(lambda: desk.said().count('"ib_connected"') == 2)
        assert not made.truth().received
        desk.until(lambda: desk.agrees_with(made) and len(made.truth().received) == 2)
        assert desk.ask(Status()).data["broker"]["paused"] == ""
        assert made.truth().duplicates() == {}
