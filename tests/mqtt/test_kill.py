"""`kill -9` of the daemon while closes come in: a bar is decided once, or it is a reported gap."""

import random
import time

import pytest

from tests.mqtt.year import START, SYMBOLS, closed, journaled, live, pairs, prices, published


@pytest.mark.parametrize("retain", [True, False])
@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.nightly)])
def test_a_kill_in_mid_close_loses_nothing_silently(tmp_path, kills, retain):
    """Each session is struck at another moment within its close; with `retain` none is lost."""
    days = [day for day in prices().days if day >= START][: kills + 2]
    moments = random.Random(kills)
    with live(tmp_path, persistent=True, end=days[-1]) as (broker, tmd):
        published(broker.port, end=START, retain=retain)  # before a first close nothing is a gap
        tmd.until(lambda: closed(tmd) == START)
        for day in days[1:-1]:
            published(broker.port, start=day, end=day, retain=retain)
            time.sleep(moments.uniform(0, 0.03))
            tmd.kill()
            tmd.connected()
            if retain:
                tmd.until(lambda day=day: closed(tmd) == day)
        published(broker.port, start=days[-1], end=days[-1], retain=retain)
        tmd.until(lambda: closed(tmd) == days[-1])
        arrived = pairs(journaled(tmd), "bars_closed")
        missed = pairs(journaled(tmd, "bars_missed"), "bars_missed")
        tmd.ready()
        assert tmd.stop() == 0

        assert days[0] == START
        assert sorted(arrived + missed) == [(f"{day}", s) for day in days for s in SYMBOLS]
        assert not (retain and missed)
        assert tmd.verified().ok
