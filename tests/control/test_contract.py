"""The contract of `tm`: every command, every exit code, and JSON as the last line of all output."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from pathlib import Path

import msgspec
import pytest

from control import protocol
from control.cli import COMMANDS
from control.protocol import Exit, encode
from control.version import VERSION
from daemon.server import op
from state import command as commands
from tests.control.samples import REPLIES, done, failing
from tests.control.scripted import serving
from tests.control.terminal import tm

FIELDS = [
    *("schema", "command", "ok", "status", "key", "command_id", "replayed", "as_of", "seq"),
    *("data", "warnings", "version", "elapsed_ms"),
]
DAWN = datetime(2022, 12, 1, tzinfo=UTC)
PROGRAM = "import sys; from control.cli import main; sys.exit(main())"
PLAN = ("cok54ho4r44h",)
STATEMENT = Path(__file__).parents[1] / "daemon/statement.xml"

ASKED = [  # what is typed, what is asked for it, and a word of what a person is shown
    ("ping", protocol.Ping(), "client  0.1.0"),
    ("status", protocol.Status(), "account: drill (by ada, 2022-12-28 16:00:00 EST)"),
    ("health", protocol.Health(), "healthy"),
    ("portfolio", protocol.Portfolio(), "1,000,500.50 USD"),
    ("orders", protocol.Orders(), "126.50"),
    ("orders --open --since 2022-12-01 --limit 9", protocol.Orders(True, DAWN, 9), "1,200"),
    ("fills --since 2022-12-01T00:00Z", protocol.Fills(DAWN), "126.04"),
    ("beliefs", protocol.Beliefs(), "95 %"),
    ("beliefs KO --at 2022-12-01", protocol.Beliefs("KO", DAWN), "free energy"),
    ("explain RID.0", protocol.Explain("RID.0"), "ORDER_RATE"),
    ("plan", commands.MakePlan(), "4,476.50"),
    ("plan --ttl 90s --only KO,AAPL", commands.MakePlan(90.0, ("KO", "AAPL")), "RESTRICTED_SYMBOL"),
    ("approve cok54ho4r44h", commands.ApprovePlan(*PLAN), "ada"),
    ("reject cok54ho4r44h", commands.RejectPlan(*PLAN), "rejected"),
    ("execute cok54ho4r44h", commands.ExecutePlan(*PLAN), "1,200"),
    (
        "execute cok54ho4r44h --require-approval --wait",
        commands.ExecutePlan(*PLAN, require_approval=True),
        "RID.0",
    ),
    ("rebalance", commands.Rebalance(), "RID.0"),
    ("rebalance --only KO --no-wait", commands.Rebalance(("KO",)), "RID.0"),
    ("rebalance --dry-run --only KO", protocol.DryRun(("KO",)), "4,476.50"),
    ("order buy AAPL 1200", commands.SubmitOrder("buy", "AAPL", D(1200)), "1,200"),
    (
        "order sell AAPL 0.5 --limit 126.50 --wait",
        commands.SubmitOrder("sell", "AAPL", D("0.5"), D("126.50")),
        "live",
    ),
    ("cancel RID.0", commands.CancelOrders("RID.0"), "RID.0"),
    ("cancel --all", commands.CancelOrders(), "RID.0"),
    ("halt --reason drill", commands.Halt("drill"), "drill (by ada"),
    (
        "halt --reason drill --scope symbol:KO --flatten",
        commands.Halt("drill", "symbol:KO", flatten=True),
        "asked back",
    ),
    ("resume --reason over --accept-risk Ada", commands.Resume("over", "Ada"), "halted  no"),
    ("cash deposit 100", commands.MoveCash("deposit", D(100)), "1,100.00"),
    ("cash withdraw 0.10", commands.MoveCash("withdraw", D("0.10")), "cash"),
    ("cash dividend 7", commands.MoveCash("dividend", D(7)), "cash"),
    ("reconcile", protocol.Reconcile(), "12.5"),
    (
        "limits set max_gross=0.8 --reason earnings",
        commands.ChangeLimits(("max_gross=0.8",), "earnings"),
        "0.8       1.0",
    ),
    ("limits show", protocol.ShowLimits(), "max_gross"),
    ("evolve start --seed 7", protocol.StartEvolution(7), "run1"),
    ("evolve resume run1", protocol.ResumeEvolution("run1"), "running"),
    ("evolve cancel", commands.CancelEvolution(), "run1"),
    ("evolve status", protocol.Evolution(), "generation 3 of at most 3"),
    ("evolve wait", protocol.Evolution(wait=True), "is not promoted"),
    ("evolve show run1", protocol.Evolution("run1"), "holdout"),
    ("evolve list", protocol.Evolution(all=True), "run1"),
    ("jobs", protocol.Evolution(all=True), "run1"),
    ("strategy list", protocol.Genomes(), "5eed5eed5eed5eed"),
    ("strategy show 5eed5e", protocol.Genomes("5eed5e"), "gamma = 60.0"),
    (
        "strategy promote 5eed5e --reason passed --accept-risk ada",
        commands.Promote("5eed5e", "passed", "ada"),
        "5eed5eed5eed5eed",
    ),
    (
        "strategy rollback --reason worse --accept-risk ada",
        commands.Rollback("worse", "ada"),
        "5eed5eed5eed5eed",
    ),
    (
        "reconcile accept --as dividend --reason paid",
        commands.AcceptDifference("dividend", "paid"),
        "12.50",
    ),
    (
        "reconcile accept --as split:1:10 --reason reverse",
        commands.AcceptDifference("split:1:10", "reverse"),
        "12.50",
    ),
    (
        "reconcile expect --as deposit --amount 5000 --reason savings",
        commands.ExpectDifference("deposit", "savings", D(5000)),
        "deposit of 5,000.00",
    ),
    (
        "reconcile expect --as split:2 --symbol KO --reason announced",
        commands.ExpectDifference("split:2", "announced", symbol="KO"),
        "split:2 of KO",
    ),
    (
        f"reconcile --statement {STATEMENT}",
        protocol.ReconcileStatement(STATEMENT.read_text()),
        "KO",
    ),
    ("backup /b/{seq}-{head}.db", protocol.Backup("/b/{seq}-{head}.db"), "/b/1234-ab.db"),
    ("audit", protocol.Audit(), "0.9877"),
    ("report --period ytd", protocol.Report("ytd"), "sessions"),
    (
        "report --from 2022-01-01 --to 2022-06-30",
        protocol.Report("all", "2022-01-01", "2022-06-30"),
        "drawdown",
    ),
    ("events --since 3 --limit 5", protocol.Events(3, 5), "halted  reason=drill scope=account"),
    ("verify", protocol.Verify(), "unbroken"),
    ("config show", protocol.ShowConfig(), "risk.max_gross"),
    ("wait k", protocol.Await("k"), "drill (by ada"),
    ("shutdown", commands.Shutdown(), "stopping"),
]
CASES = pytest.mark.parametrize(
    ("typed", "question", "shown"), [pytest.param(*case, id=f"tm {case[0]}") for case in ASKED]
)


class Scripted:
    """A daemon that answers from the samples, or always the same, and remembers what was asked."""

    def __init__(self):
        self.asked, self.always = [], None

    async def handle(self, request, principal):
        """Answer one request."""
        self.asked.append(request)
        return self.always or REPLIES[op(request)]


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    script = Scripted()
    with serving(tmp_path_factory.mktemp("run") / "control.sock", script.handle) as daemon:
        script.path = daemon.path
        yield script


@pytest.fixture
def daemon(running):
    running.asked.clear()
    running.always = None
    return running


def keyed(question):
    """Whether a command takes a key."""
    journaled = protocol.Reconcile | protocol.ReconcileStatement | protocol.Backup
    journaled |= protocol.StartEvolution | protocol.ResumeEvolution
    return not isinstance(question, protocol.Query) or isinstance(question, journaled)


def test_every_command_is_walked():
    alone = {"restore", "publish", "doctor", "watch", "completion"}  # ask no daemon, or several
    assert {case[0].split()[0] for case in ASKED} == set(COMMANDS) - alone
    tags = {op(protocol.Asked(case[1])) for case in ASKED}
    assert tags == set(REPLIES)


@CASES
def test_json_is_the_last_line_of_all_output(daemon, typed, question, shown):
    ran = tm(*typed.split(), "--json", "--socket", daemon.path)

    assert ran.exit == 0
    envelope = ran.envelope
    assert list(envelope) == FIELDS
    expected = REPLIES[op(protocol.Asked(question))]
    assert envelope["schema"] == "trade-manager/1"
    assert envelope["data"] == msgspec.json.decode(encode(expected.data))
    assert (envelope["ok"], envelope["status"]) == (True, "completed")
    assert (envelope["as_of"], envelope["seq"]) == ("2022-12-28T21:00:00Z", 1234)
    assert envelope["version"] == VERSION
    if typed == "config show":
        assert envelope["command"] == typed
    assert [request.ask for request in daemon.asked] == [question]
    assert bool(daemon.asked[0].key) == keyed(question)


@CASES
def test_people_get_a_table(daemon, typed, question, shown):
    ran = tm("--socket", f"unix://{daemon.path}", *typed.split())

    assert ran.exit == 0
    assert shown in ran.merged
    assert "\x1b" not in ran.merged  # no colour where nobody looks
    assert "{" not in ran.merged.replace("{}", "")


@CASES
def test_xcom_is_one_line_and_nothing_else(daemon, typed, question, shown):
    ran = tm(*typed.split(), "--xcom", "--socket", daemon.path)

    assert ran.exit == 0
    assert ran.merged.count("\n") == 1
    assert len(ran.merged.encode()) <= 4096
    assert ran.envelope["ok"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example_and_its_exit_codes_in_its_help(name):
    ran = tm(name, "--help")

    assert ran.exit == 0
    assert f"Example: tm {name}" in ran.merged
    assert "Exit codes: " in ran.merged
    for option in ("--json", "--xcom", "--socket", "--token-file", "--timeout", "--output"):
        assert option in ran.merged
    changing = ("--key", "--scheduled-for", "--max-lateness", "--refused-ok")
    assert all((option in ran.merged) == COMMANDS[name] for option in changing)


def test_help_lists_every_command():
    ran = tm()
    assert ran.exit == 0
    assert all(f"\n  {name} " in ran.merged for name in COMMANDS)


def test_the_version_is_the_projects():
    assert tm("--version").merged == f"tm {VERSION}\n"


# exit codes


@pytest.mark.parametrize("exit_", Exit)
@pytest.mark.parametrize("how", ["--json", "--xcom", None])
def test_every_exit_code_of_a_reply_is_the_clients(daemon, exit_, how):
    daemon.always = failing(exit_)
    words = ["halt", "--reason", "drill", "--key", "k", "--socket", daemon.path]
    ran = tm(*words, *([how] if how else []))

    assert ran.exit == exit_
    if how:
        assert list(ran.envelope) == [*FIELDS[:10], "error", *FIELDS[10:]]
        assert ran.envelope["error"]["code"] == "CODE"
        assert (ran.envelope["ok"], ran.envelope["key"]) == (False, "k")
    else:
        assert "error: what, which value, which bound\nhint: what to do\n" in ran.merged


USAGE = [
    "fly",
    "order buy AAPL",
    "order hold AAPL 1",
    "order buy AAPL lots",
    "order buy AAPL 0",
    "order buy AAPL NaN",
    "order buy AAPL 1 --limit -1",
    "cancel",
    "cancel RID.0 --all",
    "halt",
    "halt --reason drill --offline --flatten",
    "resume --reason over",
    "cash borrow 1",
    "cash deposit 1e",
    "reconcile accept",
    "reconcile --as dividend",
    "reconcile accept --as split",
    "reconcile --statement /nowhere/to/be.xml",
    "report --period 1y",
    "orders --since yesterday",
    "plan --ttl soon",
    "status --timeout 0",
    "status --key k",
    "status --nonsense",
    "config",
    "rebalance --scheduled-for 2022-01-01T00:00Z",
    "rebalance --max-lateness 1h",
    "rebalance --scheduled-for 2022-01-01T00:00 --max-lateness 1h",
    "rebalance --scheduled-for now --max-lateness 1h",
    "rebalance --scheduled-for 2022-01-01T00:00Z --max-lateness bars",
]


@pytest.mark.parametrize("typed", USAGE)
def test_a_command_line_nobody_understands_is_exit_2_and_asks_nothing(daemon, typed):
    told = tm(*typed.split(), env={"TM_SOCKET": daemon.path})
    json = tm(*typed.split(), "--json", env={"TM_SOCKET": daemon.path})

    assert (told.exit, json.exit) == (2, 2)
    assert "error: " in told.merged
    assert "--help`" in told.merged
    assert "Traceback" not in told.merged
    assert json.envelope["error"]["code"] == "USAGE"
    assert not daemon.asked


def test_what_never_ends_has_no_result_for_airflow(daemon):
    ran = tm("events", "--follow", "--xcom", "--socket", daemon.path)
    assert (ran.exit, ran.envelope["error"]["code"]) == (2, "USAGE")


def test_no_daemon_is_exit_3_and_says_what_to_run(tmp_path):
    for how in ("--json", "--xcom"):
        ran = tm("status", how, "--socket", str(tmp_path / "none.sock"))
        assert (ran.exit, ran.envelope["status"]) == (3, "unreachable")
        assert "tmd --demo" in ran.envelope["error"]["hint"]


def test_an_address_that_is_none_is_exit_7():
    ran = tm("status", "--json", "--socket", "tcp://127.0.0.1")
    assert (ran.exit, ran.envelope["error"]["code"]) == (7, "INVALID_ADDRESS")


@pytest.mark.parametrize("key", ["", "k" * 201, "schlüssel", "two\nlines"])
def test_a_key_that_is_none_is_exit_7(daemon, key):
    ran = tm("halt", "--reason", "x", "--json", "--key", key, "--socket", daemon.path)
    assert (ran.exit, ran.envelope["error"]["code"]) == (7, "INVALID_KEY")
    assert not daemon.asked


def test_a_daemon_that_does_not_answer_leaves_a_command_pending(tmp_path):
    path = str(tmp_path / "control.sock")
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(path)
        mute.listen()
        ran = tm("status", "--json", "--timeout", "0.2", "--socket", path)
        assert (ran.exit, ran.envelope["error"]["code"]) == (3, "UNREACHABLE")


def test_a_slow_answer_is_exit_10_and_names_the_key(tmp_path):
    async def never(request, principal):
        await asyncio.Event().wait()

    with serving(tmp_path / "control.sock", never, grace=0.1) as daemon:
        words = ["--json", "--timeout", "0.2", "--socket", daemon.path]
        command = tm("halt", "--reason", "x", "--key", "k7", *words)
        question = tm("status", *words)
    assert (command.exit, command.envelope["status"]) == (10, "pending")
    assert "--key 'k7'" in command.envelope["error"]["hint"]
    assert (question.exit, question.envelope["error"]["code"]) == (10, "TIMED_OUT")


def test_the_audit_fails_from_the_verdict_that_was_asked_for(daemon):
    words = ("audit", "--json", "--socket", daemon.path)
    assert tm(*words).exit == 0
    failed = tm(*words, "--fail-on", "warn")
    assert (failed.exit, failed.envelope["ok"], failed.envelope["status"]) == (
        12,
        False,
        "findings",
    )
    assert "max_gross" in failed.envelope["error"]["message"]
    assert failed.envelope["data"]["verdict"] == "warn"

    daemon.always = done("audit", {"verdict": "breach", "checks": []})
    assert tm(*words).exit == 12


# keys, late runs, refusals


def test_a_fresh_key_is_printed_before_it_is_used(daemon):
    ran = tm("halt", "--reason", "x", "--json", "--socket", daemon.path)
    first, *_ = ran.merged.splitlines()
    assert first == f"key: {daemon.asked[0].key}"
    assert first.startswith("key: halt-")


def test_a_key_that_is_given_is_used_and_not_repeated(daemon):
    tm("halt", "--reason", "x", "--key", "a|b|c", "--socket", daemon.path)
    ran = tm("halt", "--reason", "x", env={"TM_KEY": "from env", "TM_SOCKET": daemon.path})
    assert [request.key for request in daemon.asked] == ["a|b|c", "from env"]
    assert "key:" not in ran.merged


def test_two_fresh_keys_differ(daemon):
    for _ in range(2):
        tm("halt", "--reason", "x", "--socket", daemon.path)
    assert len({request.key for request in daemon.asked}) == 2


LATE = ("--scheduled-for", "2022-01-01T15:30:00+00:00", "--max-lateness", "1h")


def test_a_run_that_comes_too_late_does_nothing(daemon):
    ran = tm("rebalance", "--json", "--socket", daemon.path, *LATE)
    assert (ran.exit, ran.envelope["status"]) == (99, "skipped")
    assert ran.envelope["note"]["code"] == "TOO_LATE"
    assert not daemon.asked


def test_under_a_key_of_its_own_the_daemon_says_whether_it_was_done_in_time(daemon):
    tm("rebalance", "--json", "--key", "k", "--socket", daemon.path, *LATE)
    (asked,) = daemon.asked
    assert asked.scheduled_for == datetime(2022, 1, 1, 15, 30, tzinfo=UTC)
    assert asked.max_lateness == 3600


def test_a_run_in_time_is_done(daemon):
    soon = (datetime.now(UTC) - timedelta(minutes=1)).isoformat(" ")
    words = ("--scheduled-for", soon, "--max-lateness", "10m")
    assert tm("rebalance", "--socket", daemon.path, *words).exit == 0
    assert len(daemon.asked) == 1


@pytest.mark.parametrize(("exit_", "ends"), [(Exit.REFUSED, 0), (Exit.CONFLICT, 9), (Exit.DONE, 0)])
def test_refused_ok_is_for_refusals_alone(daemon, exit_, ends):
    daemon.always = failing(exit_)
    ran = tm("halt", "--reason", "x", "--json", "--refused-ok", "--socket", daemon.path)
    assert (ran.exit, ran.envelope["ok"]) == (ends, False)


def test_waiting_is_a_little_shorter_than_the_timeout(daemon):
    tm("rebalance", "--wait", "--timeout", "30", "--socket", daemon.path)
    tm("rebalance", "--socket", daemon.path)
    tm("wait", "k", "--timeout", "5", "--socket", daemon.path)
    assert [request.wait for request in daemon.asked] == [28.0, 0.0, 4.5]


# where options may stand, and what comes from the environment


@pytest.mark.parametrize("before", [True, False])
def test_options_may_stand_before_or_after_the_command(daemon, before):
    shared = ["--json", "--socket", daemon.path, "--timeout", "9", "--token-file", "/t"]
    ran = tm(*shared, "ping") if before else tm("ping", *shared)
    assert ran.envelope["command"] == "ping"


def test_what_is_typed_wins_over_the_environment(daemon):
    env = {"TM_SOCKET": "/nowhere/at.all", "TM_JSON": "1"}
    assert tm("ping", "--socket", daemon.path, env=env).envelope["ok"]
    assert tm("--socket", daemon.path, "ping", env=env).envelope["ok"]
    assert tm("--xcom", "ping", env={"TM_SOCKET": daemon.path}).merged.count("\n") == 1
    assert tm("ping", env={"TM_XCOM": "1", "TM_SOCKET": daemon.path}).merged.count("\n") == 1


def test_the_socket_is_found_in_the_configuration(daemon, tmp_path):
    file = tmp_path / "config.toml"
    file.write_text(f'[control]\nsocket = "{daemon.path}"\n[risk]\nwhatever = 1\n')
    assert tm("ping", env={"TM_CONFIG": str(file)}).exit == 0
    assert tm("ping", env={"TM_CONTROL__SOCKET": daemon.path}).exit == 0
    file.write_text("[control\n")
    ran = tm("ping", "--json", env={"TM_CONFIG": str(file)})
    assert (ran.exit, ran.envelope["error"]["code"]) == (7, "INVALID_ADDRESS")
    assert str(file) in ran.envelope["error"]["message"]


# files


def test_the_whole_result_goes_to_a_file_too(daemon, tmp_path):
    file = tmp_path / "result.json"
    ran = tm("status", "--json", "--output", str(file), "--socket", daemon.path)
    kept, told = msgspec.json.decode(file.read_bytes()), ran.envelope
    assert kept | {"elapsed_ms": 0} == told | {"elapsed_ms": 0}
    assert [one.name for one in tmp_path.iterdir()] == ["result.json"]


def test_a_file_that_cannot_be_written_does_not_undo_a_command(daemon, tmp_path):
    words = ("--json", "--output", str(tmp_path / "no" / "file"), "--socket", daemon.path)
    command, question = tm("halt", "--reason", "x", *words), tm("status", *words)
    assert (command.exit, question.exit) == (0, 7)
    for ran in (command, question):
        assert "was not written" in ran.envelope["warnings"][0]


def test_what_is_too_long_for_xcom_is_cut_by_rule_and_whole_in_the_file(daemon, tmp_path):
    file = tmp_path / "whole.json"
    series = [["2022-01-01T00:00:00Z", "1000000"]] * 500
    daemon.always = done("report", {"metrics": {"sharpe": 1.5}, "equity": series, "orders": {}})
    ran = tm("report", "--xcom", "--output", str(file), "--socket", daemon.path)

    assert len(ran.merged.encode()) <= 4096
    assert ran.envelope["data"] == {"metrics": {"sharpe": 1.5}, "equity": [], "orders": {}}
    assert ran.envelope["warnings"] == [
        f"cut to fit 4096 bytes: data.equity (500 items); whole in {file}"
    ]
    assert msgspec.json.decode(file.read_bytes())["data"]["equity"] == series


@pytest.mark.parametrize(
    ("words", "begins"),
    [
        (("--format", "json"), b'{"'),
        (("--format", "md"), b"# Report"),
        (("--format", "html"), b"<!doctype html>"),
        (("--format", "csv"), b"section,item,field,value"),
        (("--plot", "equity"), b"\x89PNG"),
    ],
)
def test_a_report_is_written_in_every_format(daemon, tmp_path, words, begins):
    daemon.always = REPLIES["report"]
    file = tmp_path / "report"
    ran = tm("report", *words, "--output", str(file), "--socket", daemon.path)

    assert ran.exit == 0
    assert file.read_bytes().startswith(begins)


def test_a_plot_that_does_not_exist_is_named(daemon):
    daemon.always = REPLIES["report"]
    ran = tm("report", "--plot", "pie", "--json", "--socket", daemon.path)

    assert ran.exit == 2
    assert "equity" in ran.envelope["error"]["message"]


def test_a_halt_can_be_written_without_a_daemon(tmp_path):
    env = {"TM_STATE": str(tmp_path), "TM_SOCKET": str(tmp_path / "none.sock")}
    ran = tm("halt", "--reason", "runaway", "--offline", "--json", env=env)

    assert (ran.exit, ran.envelope["ok"]) == (0, True)
    note = msgspec.json.decode((tmp_path / "halt").read_bytes())
    assert (note["scope"], note["reason"]) == ("account", "runaway")
    assert datetime.fromisoformat(note["at"]).tzinfo is not None
    assert [file.name for file in tmp_path.iterdir()] == ["halt"]


def test_a_halt_file_that_cannot_be_written_is_no_halt(tmp_path):
    ran = tm(
        "halt", "--reason", "x", "--offline", "--json", env={"TM_STATE": str(tmp_path / "none")}
    )
    assert (ran.exit, ran.envelope["error"]["code"]) == (7, "HALT_FILE_FAILED")
    assert "TM_STATE" in ran.envelope["error"]["hint"]


# a real process


def test_the_process_itself_keeps_the_contract(daemon):
    """Both streams on one pipe, as a container's log has them."""
    for words in (["rebalance"], ["status"], ["fly"], ["halt"]):
        for how in ("--json", "--xcom"):
            ran = subprocess.run(
                [sys.executable, "-c", PROGRAM, *words, how, "--socket", daemon.path],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=False,
            )
            last = msgspec.json.decode(ran.stdout.splitlines()[-1])
            assert last["ok"] == (ran.returncode == 0)
            assert ran.stdout.endswith(b"\n")


def test_a_question_loads_nothing_heavy(daemon):
    """The client stays small: what a command does not need it does not import."""
    code = (
        "import sys; from control.cli import main; main(['ping', '--socket', sys.argv[1]]); "
        "print(*sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, daemon.path], capture_output=True, text=True, check=True
    )
    loaded = set(ran.stdout.splitlines()[-1].split())
    heavy = {"numpy", "pandas", "pyarrow", "numba", "jax", "ib_async", "exchange_calendars"}
    slow = {"asyncio", "rich", "sqlite3", "importlib.metadata", "pydantic", "state.event", "random"}
    others = {"daemon", "strategies", "tomllib", "zoneinfo"}
    assert sorted(loaded & (heavy | slow | others)) == []


# what people do


def test_an_answer_this_client_cannot_read_is_shown_as_it_came(daemon):
    daemon.always = done("halt", {"halts": [{"newer": "field"}]}, key="k")
    ran = tm("halt", "--reason", "x", "--socket", daemon.path)
    assert ran.exit == 0
    assert "can't read the answer" in ran.merged
    assert '{"halts":[{"newer":"field"}]}' in ran.merged


def process(words, **streams):
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *words], text=True, **streams)


@pytest.mark.parametrize("how", ["--json", "--xcom", "--no-wait"])
def test_a_reader_that_has_seen_enough_changes_no_exit_code(daemon, how):
    daemon.always = failing(Exit.PARTIAL)
    read, write = os.pipe()
    os.close(read)
    ran = process(["rebalance", how, "--socket", daemon.path], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    told = ran.communicate(timeout=30)[1]
    assert ran.returncode == Exit.PARTIAL
    assert "Traceback" not in told
    assert "Exception ignored" not in told


def test_events_can_be_followed_until_interrupted(tmp_path):
    async def journal(request, principal):
        await asyncio.sleep(0.05)
        seen = request.ask.since
        record = {"seq": seen + 1, "type": "halted", "at": "2022-12-28T21:00:00Z"}
        return done("events", {"events": [record], "head": {"seq": 100, "hash": ""}})

    with serving(tmp_path / "control.sock", journal) as daemon:
        words = ["events", "--follow", "--json", "--socket", daemon.path]
        ran = process(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        lines = [msgspec.json.decode(ran.stdout.readline()) for _ in range(3)]
        ran.send_signal(signal.SIGINT)
        told = ran.communicate(timeout=30)[1]
    assert [line["seq"] for line in lines] == [91, 92, 93]  # the last ten, and what comes
    assert (ran.returncode, told) == (0, "")


def test_an_interrupted_command_leaves_word_of_its_key(tmp_path):
    asked = threading.Event()

    async def never(request, principal):
        asked.set()
        await asyncio.Event().wait()

    with serving(tmp_path / "control.sock", never, grace=0.1) as daemon:
        words = ["halt", "--reason", "x", "--key", "k7", "--json", "--socket", daemon.path]
        ran = process(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert asked.wait(30)
        ran.send_signal(signal.SIGINT)
        told = ran.communicate(timeout=30)[0]
    assert ran.returncode == Exit.PENDING
    last = msgspec.json.decode(told.splitlines()[-1])
    assert (last["status"], last["error"]["code"]) == ("pending", "OUTCOME_PENDING")
    assert "k7" in last["error"]["hint"]
