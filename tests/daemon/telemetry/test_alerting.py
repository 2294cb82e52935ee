"""daemon/telemetry/alerting.py: what the shell finds wrong, and that a look never ends a daemon."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest

from daemon.telemetry.alerting import MIB, Alerting, excused, feed_ill, world_of
from state.alert import AlertKind
from state.alerts import Pace, World
from state.command import RecordAlert
from state.moment import Moment
from state.snapshot import Snapshot
from state.status import BrokerFacts, FeedFacts, Stream

NOON = datetime(2026, 1, 6, 12, tzinfo=UTC)
DAY = timedelta(days=1)
GRACE = timedelta(minutes=1)
PACE = Pace(timedelta(), timedelta(minutes=30))
UP = BrokerFacts("paper", connected=True, account="A")


def feed(last=NOON, **other):
    facts = {"kind": "mqtt", "connected": True, "last_at": last, "ended": False}
    return FeedFacts(**facts | other)


def ill(facts, now=NOON, broker=UP):
    """What ails a feed of a market that never closes, whose bars are a day apart."""
    moment = Moment(now, now, now.date(), None, bar=DAY)
    return feed_ill(facts, broker, moment, GRACE, lambda at: at)


def test_a_close_is_missed_when_it_was_due_and_its_grace_is_over():
    assert ill(feed(), NOON + DAY) == ""
    assert ill(feed(), NOON + DAY + GRACE) == "no close since 2026-01-06 12:00 UTC"


def test_a_feed_that_is_away_is_ill_and_one_that_ended_is_not():
    assert ill(feed(connected=False)) == "the mqtt feed is not connected"
    assert ill(feed(connected=False, ended=True), NOON + 9 * DAY) == ""


def test_before_the_first_close_nothing_is_missed():
    assert ill(feed(None), NOON + 9 * DAY) == ""


def test_bars_that_never_came_are_told_until_a_later_session_is_whole():
    assert ill(feed(stream=Stream(missed=1, missed_at=date(2026, 1, 6)))) != ""
    assert ill(feed(stream=Stream(missed=1, missed_at=date(2026, 1, 5)))) == ""


@pytest.mark.parametrize(
    ("free", "full", "disk"),
    [
        (256 * MIB, False, ""),
        (256 * MIB - 1, False, "255 MiB are free on the journal's disk, less than 256"),
        (0, True, "the journal's disk is full"),
    ],
)
def test_the_disk(free, full, disk):
    assert world_of("", UP, "", free, 256 * MIB, full=full) == World(disk=disk, disk_full=full)


def test_a_broker_that_is_away():
    away = BrokerFacts("paper", connected=False, account="A")
    assert world_of("", away, "", MIB, 0, full=False).broker == "the paper broker is not connected"


def test_a_broker_that_said_it_would_be_away_is_no_news_and_neither_is_its_own_feed():
    away = BrokerFacts("ib", connected=False, account="A", paused="the daily restart")
    assert world_of("", away, "", MIB, 0, full=False).broker == ""
    assert ill(feed(kind="ib", connected=False), broker=away) == ""
    assert ill(feed(connected=False), broker=away) == "the mqtt feed is not connected"


@pytest.mark.parametrize(
    ("facts", "broker", "kinds"),
    [
        ({}, {}, set()),
        ({}, {"connected": False}, set()),
        ({}, {"paused": "restart"}, set()),
        ({}, {"connected": False, "paused": "restart"}, {AlertKind.BROKER_DOWN}),
        (
            {"kind": "ib", "connected": False},
            {"connected": False, "paused": "restart"},
            {AlertKind.BROKER_DOWN, AlertKind.FEED_STALE},
        ),
        ({"connected": False}, {"paused": "restart"}, set()),
        ({"kind": "ib", "connected": False, "ended": True}, {"paused": "restart"}, set()),
    ],
)
def test_of_what_is_away_as_announced_nobody_says_that_it_is_well(facts, broker, kinds):
    told = {"kind": "ib", "connected": True, "account": "A", "paused": ""} | broker
    assert excused(feed(**facts), BrokerFacts(**told)) == kinds


@pytest.mark.parametrize("kind", ["ib", "mqtt"])
def test_an_outage_of_days_is_told_once_although_the_gateway_restarts_each_night(kind):
    desk, published, minute = Desk(), [], [0]
    desk.wall = lambda: NOON + timedelta(minutes=minute[0])

    def world():
        night = minute[0] % 1440 < 12
        broker = BrokerFacts("ib", connected=False, account="A", paused="restart" * night)
        facts = feed(kind=kind, connected=False)
        says = ill(facts, broker=broker)
        return world_of(says, broker, "", MIB, 0, full=False, excused=excused(facts, broker))

    alerting = Alerting(desk, desk, world, PACE, (), published.append)
    for minute[0] in range(100, 3 * 1440):
        alerting.look()
    assert sorted((alert.kind, alert.turn) for alert in published) == [
        (AlertKind.BROKER_DOWN, "escalated"),
        (AlertKind.BROKER_DOWN, "raised"),
        (AlertKind.FEED_STALE, "escalated"),
        (AlertKind.FEED_STALE, "raised"),
    ]


class Desk:
    """An engine that remembers what is reported, and a clock whose waits a test ends."""

    def __init__(self):
        self.snapshot, self.reported, self.looks = Snapshot(), [], 0
        self.waits = asyncio.Condition()

    def moment(self):
        return Moment(NOON, NOON, NOON.date(), None)

    def report(self, command):
        self.reported.append(command)

    def wall(self):
        return NOON

    async def sleep(self, seconds):
        async with self.waits:
            self.looks += 1
            self.waits.notify_all()
        await asyncio.sleep(0)

    async def looked(self, times):
        async with self.waits:
            await self.waits.wait_for(lambda: self.looks >= times)


def test_what_is_told_goes_out_and_is_reported_to_the_journal():
    desk, published = Desk(), []
    alerting = Alerting(desk, desk, lambda: World(disk="full"), PACE, (), published.append)
    alerting.look()
    alerting.look()
    assert [alert.kind for alert in published] == [AlertKind.DISK_LOW]
    assert desk.reported == [RecordAlert(published[0])]
    assert alerting.told(AlertKind.DISK_LOW)
    assert not alerting.told(AlertKind.FEED_STALE)


async def test_a_look_that_fails_ends_nothing_and_is_known():
    desk, wrong = Desk(), [True]

    def world():
        if wrong:
            raise OSError("no such disk")
        return World()

    alerting = Alerting(desk, desk, world, PACE, (), lambda alert: None)
    looking = asyncio.create_task(alerting.run())
    await desk.looked(3)
    assert not alerting.looked
    wrong.clear()
    await desk.looked(6)
    assert alerting.looked
    looking.cancel()
