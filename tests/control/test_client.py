"""The client: a reply, or what to do without one."""

import os
import socket
import threading
from contextlib import contextmanager, suppress

import pytest
from msgspec.structs import replace

from control.client import Clock, NoReply, ask
from control.protocol import (
    FRAME_LIMIT,
    PROTOCOL,
    Asked,
    Exit,
    Fault,
    Ping,
    Reply,
    Welcome,
    encode,
    frame,
)
from control.skew import explained
from control.version import VERSION
from state.command import Halt
from tests.control.scripted import saying, serving

QUESTION = Asked(Ping())
COMMAND = Asked(Halt("drill"), key="drill-1")
DONE = Reply("halt", True, "completed", Exit.DONE, data={"halts": []}, key="drill-1")
HELLO = Welcome(PROTOCOL, VERSION, 1)


class Time:
    """Time that passes only when somebody sleeps."""

    def __init__(self, on_sleep=lambda: None):
        self.now, self.slept, self.on_sleep = 0.0, 0, on_sleep
        self.clock = Clock(mono=lambda: self.now, sleep=self.sleep, chance=lambda: 0.5)

    def sleep(self, seconds):
        self.now += seconds
        self.slept += 1
        self.on_sleep()


def frames(connection):
    """The bodies of the frames a client sends."""
    stream = connection.makefile("rb")
    while head := stream.read(4):
        yield stream.read(int.from_bytes(head, "big"))


@contextmanager
def acting(path, *acts):
    """A daemon that treats its first connection so, its second so; returns what it was asked."""
    asked = []

    def serve(listening):
        for act in acts:
            connection, _ = listening.accept()
            with connection:
                incoming = frames(connection)
                next(incoming)
                act(connection, incoming, asked)
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)  # makefile() keeps it open otherwise

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        thread = threading.Thread(target=serve, args=(listening,), daemon=True)
        thread.start()
        yield asked
        thread.join(10)
    assert not thread.is_alive()


def answering(reply, welcome=HELLO):
    """Greet, take the request, and reply."""

    def act(connection, incoming, asked):
        connection.sendall(frame(encode(welcome)))
        if welcome.error is None:
            asked.append(next(incoming))
            connection.sendall(frame(reply if isinstance(reply, bytes) else encode(reply)))

    return act


def dropping(connection, incoming, asked):
    """Greet, take the request, and hang up."""
    connection.sendall(frame(encode(HELLO)))
    asked.append(next(incoming))


def hanging(connection, incoming, asked):
    """Greet, take the request, and say nothing until the client has had enough."""
    connection.sendall(frame(encode(HELLO)))
    asked.append(next(incoming))
    connection.recv(1)


def refused(path, request, timeout=5.0, clock=None):
    """How a request ends that gets no reply."""
    with pytest.raises(NoReply) as e:
        ask(str(path), request, timeout, clock=clock or Clock())
    return e.value


@pytest.fixture
def path(tmp_path):
    return tmp_path / "control.sock"


def test_a_daemon_replies(path):
    with serving(path, saying(halt=DONE)) as daemon:
        assert ask(daemon.path, COMMAND, 5.0) == DONE


def test_no_socket_is_no_daemon_at_once_and_says_what_to_run(path):
    time = Time()
    end = refused(path, COMMAND, clock=time.clock)

    assert (end.exit, end.fault.code, time.slept) == (Exit.UNREACHABLE, "UNREACHABLE", 0)
    assert str(path) in end.fault.message
    assert "tmd --demo" in end.fault.hint


def test_a_socket_that_refuses_is_given_two_seconds(path):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    time = Time()
    end = refused(path, QUESTION, timeout=60.0, clock=time.clock)

    assert end.exit is Exit.UNREACHABLE
    assert 1.0 < time.now < 2.0


def test_a_daemon_that_is_starting_is_waited_for(path):
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))

        def start():
            if not starting:
                starting.append(threading.Thread(target=serve, daemon=True))
                listening.listen()
                starting[0].start()

        def serve():
            connection, _ = listening.accept()
            with connection:
                incoming = frames(connection)
                next(incoming)
                answering(DONE)(connection, incoming, [])

        starting = []
        assert ask(str(path), COMMAND, 5.0, clock=Time(start).clock) == DONE


def test_who_may_not_connect_is_told_so(path):
    with serving(path, saying()) as daemon:
        os.chmod(daemon.path, 0)
        own = os.geteuid()
        try:
            if own == 0:
                os.seteuid(65534)
            end = refused(path, QUESTION)
        finally:
            os.seteuid(own)
    assert (end.exit, end.fault.code) == (Exit.NOT_AUTHORISED, "NOT_AUTHORISED")
    assert "group" in end.fault.hint


def test_another_protocol_is_told(path):
    mismatch = Fault("PROTOCOL_MISMATCH", "client 1, daemon 2", "install the same version")
    with acting(path, answering(b"", Welcome(2, "2.0.0", 1, mismatch))):
        end = refused(path, COMMAND)
    assert (end.exit, end.fault) == (Exit.INVALID, explained(mismatch, "2.0.0"))


def test_another_version_is_a_warning(path):
    with acting(path, answering(DONE, Welcome(PROTOCOL, "9.9.9", 1))):
        assert ask(str(path), COMMAND, 5.0).warnings == (
            f"the daemon is version 9.9.9, this client {VERSION}, the older of the two",
        )


def test_a_busy_daemon_is_asked_again_and_answers(path):
    busy = Welcome(PROTOCOL, VERSION, 1, Fault("BUSY", "512 connections are open", "ask again"))
    time = Time()
    with acting(path, answering(b"", busy), answering(b"", busy), answering(DONE)) as asked:
        assert ask(str(path), COMMAND, 5.0, clock=time.clock) == DONE
    assert (len(asked), time.slept) == (1, 2)


def test_a_daemon_that_stays_busy_is_not_ready_and_nothing_was_written(path):
    busy = replace(DONE, ok=False, exit=Exit.NOT_READY, error=Fault("BUSY", "full", "ask again"))
    with acting(path, *[answering(busy)] * 3) as asked:
        end = refused(path, COMMAND, timeout=0.3, clock=Time().clock)
    assert (end.exit, end.fault.code, len(asked)) == (Exit.NOT_READY, "BUSY", 3)


def test_a_command_whose_reply_was_lost_is_asked_again_under_the_same_key(path):
    time = Time()
    with acting(path, dropping, dropping, answering(DONE)) as asked:
        assert ask(str(path), COMMAND, 60.0, clock=time.clock) == DONE
    assert asked == [encode(COMMAND)] * 3
    assert time.slept == 2


def test_a_command_whose_daemon_went_away_is_pending_and_names_its_key(path):
    time = Time(lambda: path.unlink(missing_ok=True))
    with acting(path, dropping):
        end = refused(path, COMMAND, timeout=30.0, clock=time.clock)
    assert (end.exit, end.fault.code) == (Exit.PENDING, "OUTCOME_PENDING")
    assert "--key 'drill-1'" in end.fault.hint
    assert "unknown" in end.fault.message
    assert time.now > 20  # it was looked for nearly as long as there was time


def test_a_question_whose_daemon_went_away_is_not_worth_waiting_for(path):
    time = Time(lambda: path.unlink(missing_ok=True))
    with acting(path, dropping):
        end = refused(path, QUESTION, timeout=30.0, clock=time.clock)
    assert (end.exit, time.slept) == (Exit.UNREACHABLE, 1)


def test_a_daemon_that_stops_while_it_decides_is_asked_again(path):
    stopping = replace(DONE, ok=False, exit=Exit.PENDING, error=Fault("STOPPING", "stops", "again"))
    with acting(path, answering(stopping), answering(DONE)) as asked:
        assert ask(str(path), COMMAND, 5.0, clock=Time().clock) == DONE
    assert len(asked) == 2


def test_a_daemon_that_stopped_while_it_decided_leaves_the_outcome_pending(path):
    stopping = replace(DONE, ok=False, exit=Exit.PENDING, error=Fault("STOPPING", "stops", "again"))
    with acting(path, answering(stopping)):
        end = refused(path, COMMAND, timeout=0.05, clock=Time().clock)
    assert (end.exit, end.fault.code) == (Exit.PENDING, "OUTCOME_PENDING")


@pytest.mark.parametrize(
    ("request_", "code"), [(COMMAND, "OUTCOME_PENDING"), (QUESTION, "TIMED_OUT")]
)
def test_a_daemon_that_does_not_answer_in_time(path, request_, code):
    with acting(path, hanging):
        end = refused(path, request_, timeout=0.2)
    assert (end.exit, end.fault.code) == (Exit.PENDING, code)


def test_a_daemon_that_does_not_even_greet_is_unreachable(path):
    with acting(path, lambda connection, incoming, asked: connection.recv(1)):
        end = refused(path, COMMAND, timeout=0.2)
    assert (end.exit, end.fault.code) == (Exit.UNREACHABLE, "UNREACHABLE")
    assert "tm halt --offline" in end.fault.hint


@pytest.mark.parametrize("reply", [b"{}", b"\xff", b"[" * 99_999])
def test_an_answer_that_is_none_is_an_internal_error(path, reply):
    with acting(path, answering(reply)):
        end = refused(path, QUESTION)
    assert (end.exit, end.fault.code) == (Exit.INTERNAL, "BAD_REPLY")


def test_a_reply_longer_than_a_frame_is_not_read(path):
    def act(connection, incoming, asked):
        connection.sendall(frame(encode(HELLO)))
        next(incoming)
        connection.sendall((FRAME_LIMIT + 1).to_bytes(4, "big"))

    with acting(path, act):
        assert refused(path, QUESTION).exit is Exit.INTERNAL


def test_a_request_longer_than_a_frame_is_not_sent(path):
    end = refused(path, Asked(Halt("x" * FRAME_LIMIT), key="k"))
    assert (end.exit, end.fault.code) == (Exit.INVALID, "FRAME_TOO_LARGE")
