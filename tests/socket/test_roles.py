"""Who may do what, asked of a real daemon by real users of the machine."""

import json
import os
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest

from control.protocol import Asked, Exit, Ping, Portfolio, Reconcile, Status
from state.authority import RIGHTS, Role, op_of, right_of
from state.command import Halt, Rebalance, Resume, Shutdown
from tests.daemon.wire import Wire
from tests.socket.rights import ASKED, keyless
from tests.tmd import CONFIGURATION, Tmd

pytestmark = [
    pytest.mark.area("units"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can be other users"),
]

ROLES = """
[[principal]]
name = "watcher"
uid = 21001
role = "viewer"
[[principal]]
name = "trader"
uid = 21002
role = "operator"
[[principal]]
name = "desk"
gid = 21100
role = "operator"
operations = ["rebalance", "status"]
operations_a_day = 2
[[principal]]
name = "owner"
uid = 0
role = "admin"
"""
USERS = {21001: Role.VIEWER, 21002: Role.OPERATOR, 21099: Role.NONE, 0: Role.ADMIN}


@pytest.fixture
def folder():
    """A folder that root's group may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="tm-roles-") as name:
        os.chmod(name, 0o750)
        yield Path(name)


@pytest.fixture
def tmd(folder):
    """A daemon with a roles file, whose market stands still."""
    roles = folder / "roles.toml"
    roles.write_text(ROLES)
    control = f'roles_file = "{roles}"\nunknown_uid = "none"\n'
    with Tmd(folder / "d", CONFIGURATION.format(pace=0.001) + control) as one:
        os.chmod(one.folder, 0o750)
        yield one.start().ready()


def as_user(uid: int, path: str, questions, group: int | None = None) -> list[dict]:
    """Ask as another user, in a process that is one; return each reply's exit and error."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([] if group is None else [group])
            os.setresgid(0, 0, 0)  # the socket's group; whoever is asked about is the uid
            os.setresuid(uid, uid, uid)
            replies = list(asked(path, questions, uid))
            os.write(writer, json.dumps(replies).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    return json.loads(told)


def asked(path, questions, uid):
    with Wire(path, 30) as wire:
        for n, question in enumerate(questions):
            own = f"{uid} {n} {right_of(question)} {time.monotonic_ns()}"
            reply = wire.ask(question, key=None if keyless(question) else own)
            yield {"exit": reply.exit, "code": reply.error.code if reply.error else ""}


def test_each_right_is_asked_for():
    assert {right_of(question) for question in ASKED} == RIGHTS.keys()


def test_the_matrix_of_roles_and_commands(tmd):
    """A request ends with 4 exactly where the table says so, and every such end is on record."""
    wrong, denied = [], Counter()
    for uid, role in USERS.items():
        replies = as_user(uid, tmd.socket, ASKED)
        assert len(replies) == len(ASKED)
        for question, reply in zip(ASKED, replies, strict=True):
            right = right_of(question)
            refused = reply["exit"] == Exit.NOT_AUTHORISED
            if refused != (role < RIGHTS[right] or role is Role.NONE):
                wrong.append((uid, role.word, right, reply))
            assert refused is (reply["code"] == "NOT_AUTHORISED")
            if refused:
                denied[uid, op_of(question)] += 1
    assert wrong == []
    assert tmd.ended() == 0, "root's last word was `tm shutdown`"

    records = [json.loads(body) for (body,) in tmd.rows("SELECT body FROM event")]
    told = [r for r in records if r["type"] == "request_denied"]
    assert Counter((r["uid"], r["op"]) for r in told) == denied
    assert all(len(r["digest"]) == 32 and r["principal"] and r["rule"] for r in told)
    taken = [r for r in records if r["type"] == "command_received"]
    assert {r["uid"] for r in taken} == {21001, 21002, 0}, "a viewer may halt"
    rules = {r["rule"].rpartition("roles: ")[2] for r in taken}
    assert rules == {"watcher", "trader", "owner"}
    assert tmd.verified().ok


def test_a_group_gives_a_role_narrowed_by_a_list_and_a_cap(tmd):
    trades = [Rebalance((symbol,)) for symbol in ("KO", "PG", "AAPL")]
    replies = as_user(21050, tmd.socket, [Status(), Portfolio(), *trades, Halt("x")], group=21100)

    codes = [reply["code"] for reply in replies]
    assert (codes[0], codes[1], codes[4], codes[5]) == ("", "NOT_AUTHORISED", "DAY_OPERATIONS", "")
    assert not {"NOT_AUTHORISED", "DAY_OPERATIONS"} & {codes[2], codes[3]}
    ((who,),) = tmd.rows("SELECT DISTINCT principal FROM command")
    assert who == "desk:uid:21050"


def test_a_mended_roles_file_holds_at_once_and_a_broken_one_changes_nothing(tmd):
    roles = tmd.folder.parent / "roles.toml"

    def allowed():
        (reply,) = as_user(21001, tmd.socket, [Reconcile()])
        return reply["exit"] != Exit.NOT_AUTHORISED

    assert not allowed()
    roles.write_text(ROLES.replace('role = "viewer"', 'role = "operator"'))
    tmd.process.send_signal(signal.SIGHUP)
    tmd.until(allowed)
    roles.write_text("[[principal]]\nname = 1\n")
    tmd.process.send_signal(signal.SIGHUP)
    tmd.until(lambda: "roles_refused" in tmd.said())
    assert allowed()


def test_a_broken_roles_file_is_a_bad_configuration(folder):
    roles = folder / "roles.toml"
    roles.write_text(ROLES)
    roles.chmod(0o666)
    with Tmd(folder / "d", f'[control]\nroles_file = "{roles}"\n') as one:
        assert one.start().ended() == 7
        assert "can be written by any user of the machine; chmod o=" in one.said()


def test_without_a_roles_file_root_is_admin_and_others_may_look_and_halt(folder):
    with Tmd(folder / "d", CONFIGURATION.format(pace=0.001)) as one:
        os.chmod(one.folder, 0o750)
        one.start().ready()
        looked, traded, halted = as_user(21099, one.socket, [Status(), Rebalance(), Halt("drill")])
        assert (looked["exit"], traded["exit"], halted["exit"]) == (0, Exit.NOT_AUTHORISED, 0)
        assert one.ask(Resume("over", "root"), key="k").ok


def test_a_flood_of_denials_is_counted_and_does_not_grow_the_journal(tmd):
    as_user(21099, tmd.socket, [Shutdown()] * 500)
    ((before,),) = tmd.rows("SELECT count(*) FROM event WHERE type = 'request_denied'")

    assert before <= 61
    assert tmd.stop() == 0
    bodies = tmd.rows("SELECT body FROM event WHERE type = 'request_denied'")
    assert sum(json.loads(body)["times"] for (body,) in bodies) == 500


def test_a_principal_that_asks_too_often_is_told_busy_and_may_still_halt(folder):
    control = "[control]\nrequests_per_second = 5\n"
    with Tmd(folder / "d", "[replay]\npace = 0.001\n" + control) as one:
        one.start()
        one.until(lambda: one.ask(Ping(), timeout=1).ok)
        with Wire(one.socket) as wire:
            codes = Counter(
                reply.error.code if (reply := wire.ask(Ping())).error else "" for _ in range(60)
            )
            assert codes["BUSY"] > 30
            assert wire.ask(Halt("drill"), key="k").ok


def test_one_user_cannot_take_all_the_connections(folder):
    with Tmd(folder / "d", "[replay]\npace = 0.001\n[control]\nconnections_each = 3\n") as one:
        os.chmod(one.folder, 0o750)
        one.start()
        one.until(lambda: one.ask(Ping(), timeout=1).ok)
        wires = [Wire(one.socket) for _ in range(3)]
        with Wire(one.socket, greet=False) as late:
            assert "uid 0" in late.greet().error.message
        (other,) = as_user(21099, one.socket, [Status()])
        assert other["exit"] == 0
        for wire in wires:
            assert wire.ask(Ping()).ok
            wire.socket.close()
        one.until(lambda: one.ask(Asked(Ping()).ask).ok)
