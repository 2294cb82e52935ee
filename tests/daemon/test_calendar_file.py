"""A kept calendar is the computed one, or it is not used."""

import zoneinfo

import pytest

from daemon import calendar_file
from daemon.calendar import open_calendar
from daemon.calendar_file import Kept, keep, kept, packed

XNYS, XTKS = open_calendar("XNYS"), open_calendar("XTKS")


@pytest.mark.parametrize("calendar", [XNYS, XTKS], ids=["half days", "lunch breaks"])
def test_what_is_kept_comes_back(tmp_path, calendar):
    keep(tmp_path / "calendar", calendar)
    again = kept(tmp_path / "calendar", calendar.name)

    assert (again.name, again.zone) == (calendar.name, calendar.zone)
    assert list(again.sessions) == list(calendar.sessions)


def test_nothing_is_kept_at_first(tmp_path):
    assert kept(tmp_path / "calendar", "XNYS") is None


def test_another_exchanges_calendar_is_not_taken(tmp_path):
    keep(tmp_path / "calendar", XTKS)
    assert kept(tmp_path / "calendar", "XNYS") is None


def test_after_an_upgrade_it_is_computed_anew(tmp_path):
    source = calendar_file.source(XNYS.zone)
    for made_of, taken in ((source, True), (source.replace(" 4.", " 3."), False)):
        written = packed(Kept(made_of, "XNYS", XNYS.zone, tuple(XNYS.sessions)))
        (tmp_path / "calendar").write_bytes(written)
        assert (kept(tmp_path / "calendar", "XNYS") is not None) is taken


@pytest.fixture
def zones(tmp_path):
    """The only folder where zones' rules are looked for."""
    zoneinfo.reset_tzpath(to=[str(tmp_path)])
    yield tmp_path
    zoneinfo.reset_tzpath()


def test_when_the_zones_rules_change_it_is_computed_anew(zones):
    keep(zones / "calendar", XNYS)
    assert kept(zones / "calendar", "XNYS") is not None
    (zones / "America").mkdir()
    (zones / "America" / "New_York").write_bytes(b"summer time all year")
    assert kept(zones / "calendar", "XNYS") is None


@pytest.mark.usefixtures("zones")
def test_where_no_rules_are_installed_they_come_from_the_package():
    assert calendar_file.rules_of("America/New_York").startswith(b"TZif")
    assert calendar_file.rules_of("America/New_York") != calendar_file.rules_of("Asia/Tokyo")


@pytest.mark.parametrize("place", [0, 40, 100_000, -1])
def test_a_damaged_file_is_not_taken(tmp_path, place):
    keep(tmp_path / "calendar", XNYS)
    damaged = bytearray((tmp_path / "calendar").read_bytes())
    damaged[place] ^= 1
    (tmp_path / "calendar").write_bytes(damaged)
    assert kept(tmp_path / "calendar", "XNYS") is None


def test_a_file_cut_short_is_not_taken(tmp_path):
    keep(tmp_path / "calendar", XNYS)
    (tmp_path / "calendar").write_bytes((tmp_path / "calendar").read_bytes()[:1000])
    assert kept(tmp_path / "calendar", "XNYS") is None


def test_where_nothing_can_be_kept_nothing_fails(tmp_path, caplog):
    (tmp_path / "calendar").mkdir()
    keep(tmp_path / "calendar", XNYS)
    assert caplog.messages == ["calendar_not_kept"]
    assert kept(tmp_path / "calendar", "XNYS") is None
