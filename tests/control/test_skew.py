"""A client and a daemon of different versions, over a real socket."""

import pytest

from control.client import NoReply, ask
from control.protocol import PROTOCOL, Asked, Exit, Ping, Query, Reply
from control.skew import compared, differing, upgrade
from control.version import VERSION
from tests.control.scripted import saying, serving
from tests.control.terminal import tm

OLDER, NEWER = "0.0.9", "9.9.9"
ORDERED = ["0.0.9", "0.1.0", "0.1.1", "0.2", "0.10.0", "1.0.0rc1", "1.1.dev3", "9.9.9"]


class Later(Query, frozen=True, tag="later"):
    """A question that no daemon knows yet."""


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (OLDER, f"the daemon is version {OLDER}, this client {VERSION}, the newer of the two"),
        (NEWER, f"the daemon is version {NEWER}, this client {VERSION}, the older of the two"),
        ("main", f"the daemon is version main, this client {VERSION}"),
    ],
)
def test_what_still_works_is_done_with_a_warning(tmp_path, version, said):
    with serving(tmp_path / "control.sock", saying(), version=version) as daemon:
        ran = tm("ping", "--json", "--socket", daemon.path)
        told = tm("ping", "--socket", daemon.path)

    assert (ran.exit, ran.envelope["warnings"]) == (0, [said])
    assert f"warning: {said}\n" in told.merged


@pytest.mark.parametrize("version", [OLDER, NEWER])
def test_a_command_the_daemon_does_not_know_names_both_versions_and_what_to_do(tmp_path, version):
    with serving(tmp_path / "control.sock", saying(), version=version) as daemon:
        reply = ask(daemon.path, Asked(Later()), 30.0)

    assert (reply.exit, reply.error.code) == (Exit.USAGE, "BAD_REQUEST")
    assert "later" in reply.error.message
    assert differing(version) in reply.error.message
    assert reply.error.hint == upgrade(version)


def test_the_same_version_is_not_blamed(tmp_path):
    with serving(tmp_path / "control.sock", saying()) as daemon:
        reply = ask(daemon.path, Asked(Later()), 30.0)
    assert "version" not in reply.error.message


@pytest.mark.parametrize("version", [OLDER, NEWER])
def test_another_protocol_names_both_versions_and_what_to_do(tmp_path, version, monkeypatch):
    monkeypatch.setattr("control.client.PROTOCOL", PROTOCOL + 1)
    with serving(tmp_path / "control.sock", saying(), version=version) as daemon:
        ran = tm("status", "--json", "--socket", daemon.path)

    error = ran.envelope["error"]
    assert (ran.exit, error["code"]) == (Exit.INVALID, "PROTOCOL_MISMATCH")
    assert VERSION in error["message"]
    assert version in error["message"]
    assert error["hint"] == upgrade(version)


def test_an_answer_that_cannot_be_read_names_both_versions(tmp_path):
    async def answer(request, principal):
        return Reply("ping", True, "completed", 4242)

    with (
        serving(tmp_path / "control.sock", answer, version=NEWER) as daemon,
        pytest.raises(NoReply) as end,
    ):
        ask(daemon.path, Asked(Ping()), 30.0)
    assert end.value.fault.code == "BAD_REPLY"
    assert differing(NEWER) in str(end.value)
    assert end.value.fault.hint == upgrade(NEWER)


def test_versions_are_in_order():
    for place, one in enumerate(ORDERED):
        assert [compared(one, other) for other in ORDERED] == [
            (place > where) - (place < where) for where in range(len(ORDERED))
        ]
    assert compared("main", "1.0") == compared("1.0", "") == 0


def test_who_is_older_is_the_one_to_change():
    assert upgrade("2.0.0", "1.9.0").startswith("install version 2.0.0 of `tm`")
    assert upgrade("1.9.0", "2.0.0").startswith("upgrade the daemon to 2.0.0")
