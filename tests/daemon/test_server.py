"""The control socket, over a real one: whatever a client does, the others are served."""

import asyncio
import os
import resource
import socket
import threading
import time
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control.protocol import FRAME_LIMIT, PROTOCOL, Asked, Exit, Ping, Reply, Status, encode, frame
from daemon.socket_file import SocketTaken, SocketUnusable
from state.command import Halt
from tests.control.scripted import saying, serving
from tests.daemon.wire import Wire

pytestmark = pytest.mark.area("kills and socket")

DONE = Reply("ping", True, "completed", Exit.DONE)


def until(condition):
    """Return once it is so."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def let_in(path):
    """Whether one more client is."""
    with Wire(path, greet=False) as wire:
        return wire.greet().error is None


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run" / "control.sock"


def test_requests_on_one_connection_are_answered_in_turn(path):
    seen = []

    async def handle(request, principal):
        seen.append(request.key)
        await asyncio.sleep(0.01 if request.key == "first" else 0)
        return msgspec.structs.replace(DONE, key=request.key)

    with serving(path, handle) as daemon, Wire(daemon.path) as wire:
        for key in ("first", "second", "third"):
            wire.say(encode(Asked(Ping(), key=key)))

        assert [wire.reply().key for _ in range(3)] == seen == ["first", "second", "third"]


def test_the_handler_is_told_who_asks_by_the_kernel(path):
    async def handle(request, principal):
        return msgspec.structs.replace(DONE, data=[principal.uid, principal.gid])

    with serving(path, handle) as daemon, Wire(daemon.path) as wire:
        assert wire.ask(Ping()).data == [os.geteuid(), os.getegid()]


def test_another_protocol_is_told_both_versions_and_hung_up_on(path):
    with serving(path, saying()) as daemon, Wire(daemon.path, greet=False) as wire:
        welcome = wire.greet(PROTOCOL + 1)

        assert welcome.error.code == "PROTOCOL_MISMATCH"
        assert "9.9.9" in welcome.error.message
        assert "same version" in welcome.error.hint
        assert wire.closed()


def test_a_frame_too_large_is_answered_and_hung_up_on(path):
    with serving(path, saying()) as daemon, Wire(daemon.path) as wire:
        wire.socket.sendall((FRAME_LIMIT + 1).to_bytes(4, "big"))

        reply = wire.reply()
        assert (reply.exit, reply.error.code) == (Exit.INVALID, "FRAME_TOO_LARGE")
        assert "1,048,577" in reply.error.message
        assert wire.closed()


def test_a_reply_too_large_for_a_frame_says_so(path):
    huge = Reply("status", True, "completed", Exit.DONE, data="x" * FRAME_LIMIT)
    with serving(path, saying(status=huge, halt=huge)) as daemon, Wire(daemon.path) as wire:
        question = wire.ask(Status())
        command = wire.ask(Halt("drill"), key="k")

    assert (question.exit, question.error.code) == (Exit.INVALID, "REPLY_TOO_LARGE")
    assert (command.exit, command.data) == (Exit.DONE, None)
    assert "exceed" in command.warnings[0]


def test_a_handler_that_fails_is_one_clients_incident(path, caplog):
    async def handle(request, principal):
        if isinstance(request.ask, Halt):
            raise ZeroDivisionError("by design")
        return DONE

    with serving(path, handle) as daemon, Wire(daemon.path) as wire:
        failed = wire.ask(Halt("drill"), key="k")
        assert (failed.exit, failed.status, failed.error.code) == (
            Exit.INTERNAL,
            "internal",
            "INTERNAL",
        )
        assert "same key" in failed.error.hint
        assert "by design" not in encode(failed).decode()
        assert wire.ask(Ping()).ok
    logged = [record for record in caplog.records if record.message == "handler_failed"]
    assert [record.incident in failed.error.message for record in logged] == [True]


def test_a_reply_that_is_no_json_is_an_incident_too(path):
    async def handle(request, principal):
        return msgspec.structs.replace(DONE, data=object() if request.key else None)

    with serving(path, handle) as daemon, Wire(daemon.path) as wire:
        assert wire.ask(Ping(), key="k").exit is Exit.INTERNAL
        assert wire.ask(Ping()).ok


def test_a_client_that_does_not_read_does_not_keep_the_daemon_from_stopping(path):
    reply = Reply("status", True, "completed", Exit.DONE, data="x" * 900_000)
    with serving(path, saying(status=reply), frame_timeout=0.5, grace=0.1) as daemon:
        wire = Wire(daemon.path)
        wire.say(encode(Asked(Status())))
        wire.exactly(4)  # the answer is on its way
    wire.socket.close()


def test_a_command_outlives_the_client_that_sent_it(path):
    arrived, go, done = threading.Event(), asyncio.Event(), threading.Event()

    async def handle(request, principal):
        if isinstance(request.ask, Halt):
            arrived.set()
            await go.wait()
            done.set()
        return DONE

    with serving(path, handle) as daemon:
        with Wire(daemon.path) as wire:
            wire.say(encode(Asked(Halt("drill"), key="k")))
            assert arrived.wait(5)
        with Wire(daemon.path) as other:
            assert other.ask(Ping()).ok  # by now the daemon saw the first one go
        daemon.loop.call_soon_threadsafe(go.set)
        assert done.wait(5)


def test_a_question_ends_with_the_client_that_asked_it(path):
    arrived, ended = threading.Event(), threading.Event()

    async def handle(request, principal):
        arrived.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with serving(path, handle) as daemon:
        with Wire(daemon.path) as wire:
            wire.say(encode(Asked(Status())))
            assert arrived.wait(5)
        assert ended.wait(5)


def test_at_the_end_what_is_in_flight_is_answered_and_the_idle_are_hung_up_on(path):
    arrived, go = threading.Event(), asyncio.Event()

    async def handle(request, principal):
        arrived.set()
        await go.wait()
        return DONE

    with serving(path, handle) as daemon, Wire(daemon.path) as idle, Wire(daemon.path) as busy:
        busy.say(encode(Asked(Halt("drill"), key="k")))
        assert arrived.wait(5)
        daemon.stop()
        assert idle.closed()
        daemon.loop.call_soon_threadsafe(go.set)
        assert busy.reply().ok
        assert busy.closed()
    assert not path.exists()


@pytest.mark.parametrize(("key", "exit_"), [("k", Exit.PENDING), (None, Exit.NOT_READY)])
def test_what_takes_too_long_at_the_end_is_told_to_ask_again(path, key, exit_):
    arrived = threading.Event()

    async def handle(request, principal):
        arrived.set()
        await asyncio.Event().wait()

    with serving(path, handle, grace=0.1) as daemon, Wire(daemon.path) as wire:
        wire.say(encode(Asked(Halt("drill") if key else Status(), key=key)))
        assert arrived.wait(5)
        daemon.stop()
        reply = wire.reply()
    assert (reply.exit, reply.error.code) == (exit_, "STOPPING")


def test_a_client_that_does_not_read_is_dropped(path, caplog):
    reply = Reply("status", True, "completed", Exit.DONE, data="x" * 900_000)
    with serving(path, saying(status=reply), frame_timeout=0.3) as daemon:
        with Wire(daemon.path) as wire:
            wire.say(encode(Asked(Status())))
            until(lambda: "slow_reader_dropped" in caplog.text)
            with pytest.raises(EOFError):
                wire.frame()
        with Wire(daemon.path) as good:
            assert good.ask(Ping()).ok


def test_200_clients_of_a_byte_at_a_time_are_hung_up_on_and_keep_nobody_waiting(path):
    halves = [b"\x00", b"\x00\x00\x00\x40", b'\x00\x00\x00\x40{"ask":']
    with serving(path, saying(), frame_timeout=1.0) as daemon:
        slow = [Wire(daemon.path, greet=n % 2 == 0) for n in range(200)]
        for n, wire in enumerate(slow):
            wire.socket.sendall(halves[n % 3])
        for _ in range(100):
            with Wire(daemon.path) as good:
                assert good.ask(Ping()).ok
        assert all(wire.closed() for wire in slow)
        for wire in slow:
            wire.socket.close()


def test_500_clients_at_once_are_served_and_the_501st_is_told_busy(path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 4096), hard), hard))

    async def handle(request, principal):
        return msgspec.structs.replace(DONE, key=request.key)

    try:
        with serving(path, handle, max_connections=500) as daemon:
            clients = [Wire(daemon.path) for _ in range(500)]
            with Wire(daemon.path, greet=False) as last:
                welcome = last.greet()
                assert welcome.error.code == "BUSY"
                assert last.closed()
            for n, wire in enumerate(clients):
                wire.say(encode(Asked(Ping(), key=str(n))))
            assert [wire.reply().key for wire in clients] == [str(n) for n in range(500)]
            for wire in clients[:100]:
                wire.socket.close()
            until(lambda: let_in(daemon.path))
            for wire in clients[100:]:
                wire.socket.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# frames of every kind of wrong

TEXT = encode(Asked(Halt("drill", scope="symbol:AAPL"), key="k")).decode()
broken = st.one_of(
    st.binary(max_size=300),
    st.text(max_size=100).map(str.encode),
    st.integers(1, len(TEXT) - 1).map(lambda n: TEXT[:n].encode()),
    st.tuples(st.integers(0, len(TEXT) - 1), st.integers(0, 255)).map(
        lambda at: TEXT.encode()[: at[0]] + bytes([at[1]]) + TEXT.encode()[at[0] + 1 :]
    ),
    st.sampled_from(["[", "{", '{"ask":', '[{"a":']).map(lambda text: text.encode() * 100_000),
    st.sampled_from(["NaN", "Infinity", "1e999", "-0", "9" * 5000, '"\\ud800"', "null"]).map(
        lambda value: TEXT.replace('"drill"', value).encode()
    ),
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=10),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(["ask", "op", "key", "wait", "x"]), inner, max_size=4)
        ),
        max_leaves=10,
    ).map(msgspec.json.encode),
)
cut_short = st.tuples(st.integers(0, 2**32 - 1), st.binary(max_size=50)).map(
    lambda parts: parts[0].to_bytes(4, "big") + parts[1]
)


def test_no_frame_is_a_crash_and_the_next_client_is_served(path):
    handled = []

    async def handle(request, principal):
        handled.append(request)
        return DONE

    with serving(path, handle) as daemon:

        @settings(max_examples=settings().max_examples * 5)  # 500, and 10,000 at night
        @given(broken.map(frame) | cut_short)
        def sent(wrong):
            with Wire(daemon.path) as wire:
                before = len(handled)
                with suppress(OSError):
                    wire.socket.sendall(wrong)  # it may be hung up on before it is all said
                    wire.socket.shutdown(socket.SHUT_WR)
                try:
                    reply = wire.reply()
                except EOFError:
                    return
                assert reply.exit in {Exit.USAGE, Exit.INVALID} or len(handled) == before + 1

        sent()
        with Wire(daemon.path) as good:
            assert good.ask(Ping()).ok


# the socket's file


def test_the_socket_and_its_folder_are_closed_to_others(path):
    with serving(path, saying()):
        assert path.stat().st_mode & 0o777 == 0o660
        assert path.parent.stat().st_mode & 0o777 == 0o750
        assert [file.name for file in path.parent.iterdir()] == ["control.sock"]


def test_a_stale_socket_is_replaced(path):
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))

    with serving(path, saying()) as daemon, Wire(daemon.path) as wire:
        assert wire.ask(Ping()).ok


def test_a_live_socket_is_left_alone(path):
    with serving(path, saying()) as daemon:
        with pytest.raises(SocketTaken, match="another daemon"), serving(path, saying()):
            pass
        with Wire(daemon.path) as wire:
            assert wire.ask(Ping()).ok


def test_a_socket_that_is_no_longer_ours_is_left_to_its_owner(path):
    with serving(path, saying()):
        path.unlink()
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(path))
    assert path.exists()


def test_a_file_that_is_no_socket_is_left_alone(path):
    path.parent.mkdir()
    path.write_text("precious")
    with pytest.raises(SocketUnusable, match="no socket"), serving(path, saying()):
        pass
    assert path.read_text() == "precious"


def test_a_path_too_long_for_a_socket_says_what_to_do(tmp_path):
    path = tmp_path / ("x" * 120)
    with pytest.raises(SocketUnusable, match="shorter TM_SOCKET"), serving(path, saying()):
        pass
