"""How a real `tmd` ends, and what it says, when something is in its way."""

import os
import shutil
import sqlite3
import time
from decimal import Decimal as D

import pytest
from msgspec.structs import replace

from control.protocol import Exit, Ping
from state.command import Halt, MoveCash
from tests.daemon.wire import Wire
from tests.kills.books import faults
from tests.kills.strace import strace
from tests.tmd import DEADLINE, Tmd

DEPOSIT = MoveCash("deposit", D(1))
BAD_CONFIGURATION, STATE_HELD, JOURNAL_UNFIT, COMMIT_IN_DOUBT = 7, 9, 13, 14
PRICES = "date,KO,PG\n2019-01-02,46.9,91.3\n2019-01-03,46.6,90.6\n2019-01-04,47.6,92.5\n"


@pytest.fixture
def tmd(tmp_path):
    """A daemon's folder; its market will stand still."""
    with Tmd(tmp_path / "d", pace=0.001) as one:
        yield one


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A daemon that runs, and notices nothing of all that fails beside it."""
    with Tmd(tmp_path_factory.mktemp("running") / "d", pace=0.001) as one:
        one.start().ready()
        yield one
        assert one.stop() == 0


def refused(tmd, *arguments):
    """Start a daemon that will not run; return its exit code and what it said."""
    before = len(tmd.said())
    code = tmd.launch(*arguments).wait(60)
    return code, tmd.said()[before:]


class TestASecondDaemon:
    def test_on_the_same_state_leaves_at_once_and_the_first_notices_nothing(self, running):
        pid, seq = running.data(Ping())["pid"], running.data()["journal"]["seq"]
        socket = os.stat(running.socket)
        began = time.monotonic()
        assert refused(running, "--check")[0] == 0
        to_look = time.monotonic() - began
        began = time.monotonic()
        code, said = refused(running)
        assert code == STATE_HELD
        assert f"process {pid} holds this state" in said
        assert time.monotonic() - began < to_look + 1  # beyond what any start takes
        assert os.stat(running.socket) == socket
        assert running.data()["journal"]["seq"] == seq
        assert running.ask(DEPOSIT, key="k").ok

    def test_on_the_same_socket_leaves_too(self, running, tmd):
        tmd.socket = running.socket
        tmd.prepare()
        code, said = refused(tmd)
        assert code == BAD_CONFIGURATION
        assert "another daemon is listening on it" in said
        assert running.data(Ping())["pid"] == running.process.pid

    def test_takes_over_from_one_that_was_killed(self, tmd):
        tmd.start().ready().kill()
        assert os.path.exists(tmd.socket)
        tmd.start().ready()
        assert tmd.stop() == 0


class TestABadConfiguration:
    def test_names_file_line_and_the_nearest_key(self, tmd):
        tmd.file.write_text("[risk]\n# wide\nmax_drawdwn = 0.5\n\n[tradin]\nmode = 'autonomous'\n")
        code, said = refused(tmd)
        assert code == BAD_CONFIGURATION
        assert f"{tmd.file}:3" in said
        assert "max_drawdown" in said
        assert f"{tmd.file}:5" in said
        assert "trading" in said
        assert not tmd.state.exists()

    def test_that_is_missing_is_named(self, tmd):
        tmd.file.unlink()
        code, said = refused(tmd)
        assert code == BAD_CONFIGURATION
        assert str(tmd.file) in said

    def test_is_found_by_a_check_which_makes_nothing(self, tmd):
        code, said = refused(tmd, "--check")
        assert (code, tmd.state.exists()) == (0, False)
        assert "the configuration is valid" in said
        tmd.file.write_text("[risk]\nmax_drawdwn = 0.5\n")
        assert refused(tmd, "--check")[0] == BAD_CONFIGURATION


def replaying(symbols='["KO", "PG"]'):
    """The configuration that replays the prices beside it."""
    return f'[replay]\nfile = "FOLDER/prices.csv"\n[universe]\nsymbols = {symbols}\n'


HEADER, *ROWS = PRICES.splitlines(keepends=True)
IMPOSSIBLE = {  # configuration, prices, and what is said of them
    "out of bounds": ("[risk]\nmax_gross = -1", None, ["config.toml:2"]),
    "no TOML": ("[risk\n", None, ["config.toml:1"]),
    "no number": ("[paper]\ninitial_cash = nan", None, ["config.toml:2"]),
    "no such exchange": ('[universe]\ncalendar = "XNYC"', None, ["XNYS"]),
    "no such strategy": ('[strategy]\nname = "inverse_volatilty"', None, ["inverse_volatility"]),
    "no account for a feed": ('[feed]\nkind = "ib"', None, ["ib.account"]),
    "no such socket": ('[control]\nsocket = "tcp://127.0.0.1:1"', None, ["config.toml:2"]),
    "no prices": (replaying(), None, ["prices.csv"]),
    "an empty file": (replaying(), "", ["prices.csv"]),
    "only a header": (replaying(), HEADER, ["prices.csv"]),
    "too few prices": (replaying(), HEADER + ROWS[0], ["prices.csv"]),
    "a price that is none": (replaying(), PRICES + "2019-01-07,abc,91\n", ["row 5", "abc"]),
    "a day that is none": (replaying(), PRICES + "yesterday,46,91\n", ["row 5", "yesterday"]),
    "an unknown symbol": (replaying('["KO", "XX"]'), PRICES, ["prices.csv", "XX"]),
}


@pytest.fixture(scope="module")
def refusals(tmp_path_factory):
    """Daemons that can't run, by why; all started at once."""
    started = {}
    for n, (name, (text, prices, _)) in enumerate(IMPOSSIBLE.items()):
        tmd = Tmd(tmp_path_factory.mktemp("impossible") / str(n), "")
        tmd.file.write_text(text.replace("FOLDER", str(tmd.folder)))
        if prices is not None:
            (tmd.folder / "prices.csv").write_text(prices)
        tmd.process, started[name] = tmd.launch(), tmd
    yield started
    for tmd in started.values():
        tmd.__exit__()


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_cannot_be_run_is_refused_before_anything_is_made(refusals, name):
    tmd = refusals[name]
    code, said = tmd.ended(), tmd.said()
    assert code == BAD_CONFIGURATION, said
    assert [words for words in IMPOSSIBLE[name][2] if words not in said] == [], said
    assert "Traceback" not in said
    assert not tmd.state.exists()


def altered(tmd, file="journal.db", **pragmas):
    """Change an SQLite file's header fields."""
    db = sqlite3.connect(tmd.state / file)
    for name, value in pragmas.items():
        db.execute(f"PRAGMA {name} = {value}")
    db.close()


def flipped(tmd, text, file="journal.db"):
    """Flip a bit inside a text that a record holds."""
    path = tmd.state / file
    written = bytearray(path.read_bytes())
    at = written.index(text)
    written[at] ^= 4
    path.write_bytes(written)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """A state with some records, closed cleanly."""
    with Tmd(tmp_path_factory.mktemp("pristine") / "d", pace=0.001) as tmd:
        tmd.start().ready()
        assert tmd.ask(Halt("because of the flood"), key="h").ok
        assert tmd.stop() == 0
        yield tmd.state


class TestAnUnfitJournal:
    @pytest.mark.parametrize(
        ("harm", "words"),
        [
            pytest.param(lambda tmd: flipped(tmd, b"of the flood"), "record", id="a bit flipped"),
            pytest.param(lambda tmd: altered(tmd, user_version=99), "newer", id="newer"),
            pytest.param(lambda tmd: altered(tmd, application_id=1), "not a journal", id="foreign"),
            pytest.param(
                lambda tmd: (tmd.state / "journal.db").write_bytes(b"a diary, 1987" * 500),
                "not an SQLite file",
                id="no database",
            ),
            pytest.param(
                lambda tmd: altered(tmd, "paper.db", user_version=99), "paper.db", id="a newer book"
            ),
        ],
    )
    def test_is_left_as_it_is_for_a_human(self, tmd, pristine, harm, words):
        shutil.copytree(pristine, tmd.state)
        harm(tmd)
        files = [tmd.state / "journal.db", tmd.state / "paper.db"]
        before = [file.read_bytes() for file in files]
        code, said = refused(tmd)
        assert code == JOURNAL_UNFIT, said
        assert words in said
        assert "Traceback" not in said
        assert [file.read_bytes() for file in files] == before


def test_a_commit_in_doubt_ends_it_and_the_restart_decides(tmd):
    """From some moment on no sync of the journal's log succeeds: a disk that fails."""
    strace("-o", "/dev/null", program=["-c", ""])  # skips where there is none
    tmd.start().ready()
    assert tmd.stop() == 0
    tmd.start(
        under=(
            *("strace", "-f", "-qq", "--seccomp-bpf", "-o", "/dev/null"),
            *("-P", str(tmd.state / "journal.db-wal"), "-e", "trace=fdatasync,fsync"),
            *("-e", "inject=fdatasync,fsync:error=EIO:when=20+"),
        )
    ).ready()
    booked, in_doubt = [], None
    with Wire(tmd.socket, DEADLINE) as wire:
        for n in range(100):
            reply = wire.ask(DEPOSIT, key=f"k{n}")
            if not reply.ok:
                in_doubt, began = reply, time.monotonic()
                break
            booked.append(reply)
        assert wire.closed()
    assert 0 < len(booked) < 100
    assert (in_doubt.exit, in_doubt.status) == (Exit.PENDING, "pending")  # never "rejected"
    assert tmd.ended() == COMMIT_IN_DOUBT
    assert time.monotonic() - began < 4  # waiting for nobody
    tmd.start().ready()
    for reply in booked:
        assert replace(tmd.ask(DEPOSIT, key=reply.key), replayed=False) == reply
    assert tmd.ask(DEPOSIT, key=in_doubt.key).ok  # booked then, or booked now: once
    assert D(tmd.books()["cash"]) == 1_000_000 + len(booked) + 1
    assert tmd.stop() == 0
    assert faults(tmd) == []
