"""Beliefs as people read them, now, then, and what lies between."""

import struct
from datetime import timedelta
from decimal import Decimal as D

from msgspec.structs import replace

from state.belief import COLUMNS, STATES, Belief, instruments
from state.belief_answers import belief_at, beliefs, difference, last_closes, told
from state.chain import append
from state.journal import GENESIS, in_memory
from state.record import Batch
from tests.given import CLOSE, WALL, bars

LEVELS = (0.0, 0.5, 1.0)


def belief(rows, at=CLOSE, model="m"):
    """A belief whose rows say, by symbol, some columns by name; the others are zero."""
    shown = b"".join(
        struct.pack(
            f"<{len(COLUMNS) + 6}f",
            *(named.get(name, 0.0) for name in COLUMNS),
            *(0.0, -0.25, 0.5),
            *(0.0, -1.0, -2.0),
        )
        for named in rows.values()
    )
    return Belief("numpy", model, at, tuple(rows), LEVELS, 60.0, b"memory", shown)


CALM = {"up_calm": 0.75, "down_normal": 0.25, "exposure": 0.5, "ok": 1.0, "z": float("nan")}
WILD = {"down_stressed": 1.0, "exposure": 0.25, "ok": 1.0}


def test_the_six_states_are_told_by_direction_and_by_volatility():
    (ko,) = beliefs(belief({"KO": CALM})).instruments

    assert ko.direction == {"down": 0.25, "up": 0.75}
    assert ko.volatility == {"calm": 0.75, "normal": 0.25, "stressed": 0.0}
    assert sum(ko.posterior) == 1.0
    assert len(ko.posterior) == len(STATES)
    assert (ko.regime, ko.exposure, ko.ok) == ("calm", 0.5, True)
    assert (ko.free_energy, ko.log_prior) == ((0.0, -0.25, 0.5), (0.0, -1.0, -2.0))


def test_what_was_not_observed_is_none_and_not_zero():
    (ko,) = instruments(belief({"KO": CALM}))

    assert ko.observed["z"] is None
    assert ko.observed["range"] == 0.0


def test_one_symbol_can_be_asked_for():
    both = belief({"KO": CALM, "PG": WILD})

    assert [one.symbol for one in beliefs(both, "PG").instruments] == ["PG"]


def test_a_difference_is_later_less_earlier():
    before = beliefs(belief({"KO": CALM, "GE": CALM}))
    later = CLOSE + timedelta(days=9)
    after = beliefs(belief({"KO": WILD, "PG": WILD}, later, "n"))
    between = difference(before, after).diff

    assert (between.since, between.until, between.same_model) == (CLOSE, later, False)
    ko, pg, ge = between.changes
    assert (ko.symbol, ko.up, ko.calm, ko.normal, ko.stressed) == ("KO", -0.75, -0.75, -0.25, 1.0)
    assert (ko.exposure, ko.regime_before, ko.regime_after) == (-0.25, "calm", "stressed")
    assert (pg.up, pg.regime_before, pg.regime_after) == (None, None, "stressed")
    assert (ge.exposure, ge.regime_before, ge.regime_after) == (None, "calm", None)


def journal(*days):
    """A journal of closes, each with a belief or without."""
    db = in_memory()
    closes = [
        replace(
            bars(50, 100, day=day),
            belief=belief({"KO": CALM}, CLOSE + timedelta(days=day)) if believed else None,
        )
        for day, believed in days
    ]
    append(db, Batch(closes, WALL), GENESIS)
    return db


def test_what_was_believed_at_a_time_is_of_the_last_close_up_to_it():
    db = journal((0, True), (1, True), (2, False))

    assert belief_at(db, CLOSE - timedelta(seconds=1)) is None
    assert belief_at(db, CLOSE).at == CLOSE
    assert belief_at(db, CLOSE + timedelta(hours=30)).at == CLOSE + timedelta(days=1)
    assert belief_at(db, CLOSE + timedelta(days=5)).at == CLOSE + timedelta(days=1)


def test_the_last_closes_come_oldest_first():
    found = last_closes(journal((0, True), (1, True), (2, False)), 2)

    assert [close.at - CLOSE for close in found] == [timedelta(days=1), timedelta(days=2)]
    assert found[0].bars[0].close == D(50)


def test_an_event_is_told_without_the_bytes():
    close = replace(bars(50, 100), belief=belief({"KO": CALM}))

    assert told(close).belief.model_hash == "m"
    assert told(close).belief.shown == told(close).belief.memory == b""
    assert told(bars(50, 100)) == bars(50, 100)
