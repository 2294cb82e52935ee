"""The MQTT broker stops, starts, and is killed: nothing is lost silently."""

import csv
import signal
import threading
import time

import pytest

from tests.mqtt.year import (
    END,
    START,
    SYMBOLS,
    Parts,
    closed,
    configured,
    journaled,
    live,
    outcome,
    pairs,
    prices,
    published,
    replayed,
)
from tests.tmd import Tmd


@pytest.mark.parametrize(
    ("restarts", "pace"), [(4, 90.0), pytest.param(20, 14.0, marks=pytest.mark.nightly)]
)
def test_a_broker_that_stops_and_starts_loses_nothing(tmp_path, restarts, pace):
    parts = Parts(restarts + 1)  # however fast it goes on, each stop comes before it is done
    with live(tmp_path, persistent=True) as (broker, tmd):
        played = []
        publisher = threading.Thread(
            target=lambda: played.append(
                published(broker.port, clock=parts, told=parts.told, pace=pace)
            ),
            daemon=True,
        )
        publisher.start()
        for _ in range(restarts):
            had = tmd.data()["feed"]["stream"]["bars"]
            tmd.until(lambda had=had: tmd.data()["feed"]["stream"]["bars"] > had)
            broker.stop()
            broker.start()
            parts.free()
        publisher.join(60)
        tmd.until(lambda: closed(tmd) == END)
        found = outcome(tmd)
        stream = tmd.data()["feed"]["stream"]

        assert played[0].again >= restarts
        assert stream["connections"] >= restarts + 1
        assert stream["missed"] == 0
        assert not journaled(tmd, "bars_missed")

    assert found == replayed(tmp_path / "replay")


def test_a_broker_that_is_killed_loses_bars_and_each_is_a_reported_gap(tmp_path):
    table = prices()
    days = [day for day in table.days if START <= day <= END]
    with live(tmp_path, persistent=True, inflight=20) as (broker, tmd):
        published(broker.port, end=days[99])
        tmd.until(lambda: closed(tmd) == days[99])
        tmd.process.send_signal(signal.SIGSTOP)  # what it does not take waits at the broker
        published(broker.port, start=days[100], end=days[139])
        broker.kill()
        tmd.process.send_signal(signal.SIGCONT)
        broker.start()
        tmd.until(lambda: tmd.data()["feed"]["stream"]["connections"] == 2)
        published(broker.port, start=days[140])
        tmd.until(lambda: closed(tmd) == END)
        found = outcome(tmd)
        arrived = pairs(found[0], "bars_closed")
        missed = pairs(journaled(tmd, "bars_missed"), "bars_missed")
        lost = {(f"{day}", symbol) for day in days for symbol in SYMBOLS} - set(arrived)

        assert lost
        assert len(missed) == len(set(missed))
        assert set(missed) == lost
        assert tmd.data()["feed"]["stream"]["missed"] == len(lost)

    file = tmp_path / "arrived.csv"
    written(file, table, set(arrived))
    assert found == replayed(tmp_path / "replay", file=file)


def written(file, table, arrived):
    """Write the closes before the year, and of the year those that arrived."""
    with file.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["date", *SYMBOLS])
        for row, day in enumerate(table.days):
            bars = {bar.symbol: bar.close for bar in table.bars(row)}
            cells = [
                bars.get(symbol, "") if day < START or (f"{day}", symbol) in arrived else ""
                for symbol in SYMBOLS
            ]
            if day <= END and any(cells):
                rows.writerow([day, *cells])


def test_trading_does_not_wait_for_the_broker(tmp_path):
    """No mosquitto at all: the daemon starts, answers, halts, and stops."""
    configuration = configured("mqtt", 1, publish="on")
    with Tmd(tmp_path, configuration) as tmd:
        tmd.start()
        status = tmd.until(tmd.data)

        assert not status["feed"]["connected"]
        began = time.monotonic()
        assert tmd.stop() == 0
        assert time.monotonic() - began < 10
