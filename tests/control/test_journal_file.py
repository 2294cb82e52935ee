"""A journal read without a daemon: verified, and reported on."""

import os

import msgspec
import pytest

from control.benchmark import benchmark
from daemon.feeds import bundle
from state.history import records
from state.journal import GENESIS, connect, reader
from state.period import Period
from state.report import report, to_json
from state.report_markdown import markdown
from state.snapshot import Snapshot
from tests.chronicle import write
from tests.control.terminal import tm
from tests.state.story import STORY
from tests.tmd import verified


@pytest.fixture
def journal(tmp_path):
    path = tmp_path / "journal.db"
    db = connect(path)
    write(db, GENESIS, Snapshot(), STORY)
    db.close()
    return path


def test_a_whole_journal_verifies(journal):
    ran = tm("verify", "--journal", str(journal), "--json")
    assert (ran.exit, ran.envelope["ok"]) == (0, True)
    data = ran.envelope["data"]
    assert (data["seq"], data["first_bad"]) == (len(STORY), None)
    assert len(data["hash"]) == 64
    assert "unbroken" in tm("verify", "--journal", str(journal)).merged


def test_a_damaged_one_is_found_and_exit_12(journal):
    whole = journal.read_bytes()
    assert whole.count(b"savings") == 1
    journal.write_bytes(whole.replace(b"savings", b"savingz"))

    ran = tm("verify", "--journal", str(journal), "--json")
    assert (ran.exit, ran.envelope["error"]["code"]) == (12, "JOURNAL_DAMAGED")
    assert tm("verify", "--journal", str(journal)).exit == 12


@pytest.mark.parametrize("command", ["verify", "report"])
def test_no_journal_is_exit_8_and_a_foreign_one_12(tmp_path, command):
    missing = tm(command, "--json", "--journal", str(tmp_path / "none.db"))
    assert (missing.exit, missing.envelope["error"]["code"]) == (8, "NO_JOURNAL")
    assert not (tmp_path / "none.db").exists()

    foreign = tmp_path / "foreign.db"
    foreign.write_text("no database")
    ran = tm(command, "--json", "--journal", str(foreign))
    assert (ran.exit, ran.envelope["error"]["code"]) == (12, "JOURNAL_UNFIT")


def test_the_index_is_the_daemons():
    assert benchmark() == {day: float(close) for day, close in bundle.benchmark().items()}


def expected(journal, period):
    db = reader(journal)
    try:
        return report(records(db), period, benchmark(), "S&P 500")
    finally:
        db.close()


def head_of(journal):
    found = verified(journal)
    return {"seq": found.seq, "hash": found.hash.hex()}


def test_a_report_needs_no_daemon_and_is_the_states_own(journal):
    ran = tm("report", "--journal", str(journal), "--json")
    whole = expected(journal, Period())

    assert ran.exit == 0
    data = dict(ran.envelope["data"])
    assert data.pop("head") == head_of(journal)
    assert data == msgspec.json.decode(to_json(whole))
    assert ran.envelope["data"]["benchmark"]["name"] == "S&P 500"
    assert tuple(ran.envelope["warnings"]) == whole.warnings
    assert "15,262.00" in tm("report", "--journal", str(journal)).merged


def test_the_same_journal_gives_the_same_bytes(journal, tmp_path):
    for form, whole in (
        ("json", to_json(expected(journal, Period())).rstrip() + b"\n"),
        ("md", markdown(expected(journal, Period())).encode()),
    ):
        words = ["report", "--journal", str(journal), "--format", form]
        assert tm(*words).merged.encode() == whole
        for n in range(2):
            file = tmp_path / f"{n}.{form}"
            ran = tm(*words, "--output", str(file), "--xcom")
            assert (ran.exit, ran.envelope["ok"]) == (0, True)
            assert file.read_bytes() == whole


def test_a_period_can_be_named_or_spelt_out(journal):
    def sessions(*words):
        return tm("report", "--journal", str(journal), "--json", *words).envelope["data"]["period"]

    assert sessions("--period", "1d")["sessions"] == 1
    assert sessions("--from", "2022-01-04")["sessions"] == 2
    assert sessions("--to", "2022-01-03")["to"] == "2022-01-03"
    wrong = tm("report", "--journal", str(journal), "--json", "--from", "4th")
    assert (wrong.exit, wrong.envelope["error"]["code"]) == (7, "PERIOD")


def test_a_report_that_cannot_be_written_says_where(journal, tmp_path):
    words = ["report", "--journal", str(journal), "--format", "md", "--json"]
    ran = tm(*words, "--output", str(tmp_path / "no" / "report.md"))
    assert (ran.exit, ran.envelope["error"]["code"]) == (7, "OUTPUT_FAILED")


def test_reading_leaves_the_file_as_it_was(journal):
    before = journal.read_bytes(), sorted(os.listdir(journal.parent))
    tm("verify", "--journal", str(journal))
    tm("report", "--journal", str(journal))
    assert journal.read_bytes() == before[0]
