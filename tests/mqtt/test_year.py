"""A year of real bars through a real mosquitto."""

from tests.mqtt.year import END, closed, journaled, live, outcome, published, replayed


def test_a_year_ends_with_the_same_portfolio_to_the_cent_as_the_replay_feed(tmp_path):
    with live(tmp_path) as (broker, tmd):
        played = published(broker.port)
        tmd.until(lambda: closed(tmd) == END)
        closes, fills, books = outcome(tmd)

        assert len(closes) == played.sessions == 252
        assert len(fills) > 20
        assert tmd.data()["feed"]["stream"]["missed"] == 0
        assert not journaled(tmd, "bars_missed")

    assert (closes, fills, books) == replayed(tmp_path / "replay")
