"""Ask a running daemon: connect, shake hands, one request, one reply. No event loop."""

import os
import socket
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from control.protocol import (
    FRAME_LIMIT,
    PROTOCOL,
    Asked,
    Exit,
    Fault,
    Hello,
    Reply,
    decode_reply,
    decode_welcome,
    encode,
    frame,
)
from control.skew import differing, explained
from control.tls import NONE, Credentials, CredentialsInvalid, Untrusted, connected
from control.version import VERSION

STARTING: Final = 2.0  # seconds that a daemon may take from its socket's file to listening
FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 2.0
SKEWED: Final = frozenset({"BAD_REQUEST", "PROTOCOL_MISMATCH"})  # what another version may cause
LATER: Final = frozenset({"BUSY", "STOPPING"})  # replies that promise a better one later

START: Final = "start one with `tmd --demo`, `systemctl start trade-manager` or `docker start`"


class NoReply(Exception):
    """The daemon gave no reply: what the client ends with, and what to say.

    `absent` is so when nobody listens: no daemon runs there.
    """

    def __init__(
        self, exit_: Exit, code: str, message: str, hint: str, *, absent: bool = False
    ) -> None:
        super().__init__(message)
        self.exit, self.fault, self.absent = exit_, Fault(code, message, hint), absent


class Clock(msgspec.Struct, frozen=True):
    """Monotonic seconds, a way to let some pass, and a chance in [0, 1]."""

    mono: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = lambda: os.urandom(1)[0] / 255


REAL: Final = Clock()


class NotListening(Exception):
    """Nobody answers at the socket, or somebody there is too busy to."""


class HungUp(Exception):
    """The daemon closed the connection before it answered."""


def ask(
    path: str,
    request: Asked[Any],
    timeout: float,
    *,
    credentials: Credentials = NONE,
    patient: bool = False,
    clock: Clock = REAL,
    notice: Callable[[str], None] = lambda text: None,
) -> Reply:
    """Return the daemon's reply, within `timeout` seconds; raise NoReply.

    `path` is that of a Unix socket, or "tcp://HOST:PORT", where `credentials` say who asks.
    What was lost on the way is asked again, under the same key. A daemon whose socket refuses may
    be starting, so it is given two seconds; one that is busy, all the time there is. With `patient`
    one that isn't there is given all of it too: nobody waits at a terminal.
    """
    body = encode(request)
    if len(body) > FRAME_LIMIT:
        message = f"the request of {len(body):,} bytes exceeds {FRAME_LIMIT:,}"
        raise NoReply(Exit.INVALID, "FRAME_TOO_LARGE", message, "ask for less at once")
    started = clock.mono()
    deadline, pause, doubt = started + timeout, FIRST_PAUSE, False
    while True:
        trouble: Exception
        sent, patience = False, deadline
        try:
            with Link(path, deadline, clock, credentials) as link:
                link.greet()
                sent = True  # from here on nobody knows, until there is a reply
                link.send(body)
                reply = link.reply()
            if reply.error is None or reply.error.code not in LATER or request.key is None:
                return reply
            trouble = Busy(reply.error)
            doubt |= reply.exit is Exit.PENDING
        except NotListening as e:
            trouble = e
            if not (patient or (doubt and request.key)):
                absent = isinstance(e.__cause__, FileNotFoundError)
                patience = started if absent else min(deadline, started + STARTING)
        except Busy as e:
            trouble = e
        except (HungUp, TimeoutError) as e:
            trouble, doubt = e, doubt or sent
        wait = pause * (0.5 + clock.chance())
        if clock.mono() + wait >= patience:
            raise given_up(trouble, path, request, timeout, doubt=doubt) from trouble
        notice(f"{trouble}; asking again")
        clock.sleep(wait)
        pause = min(pause * 2, LONGEST_PAUSE)


class Busy(Exception):
    """The daemon said: not now."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class Link:
    """One connection, until a deadline."""

    def __init__(
        self, path: str, deadline: float, clock: Clock, credentials: Credentials = NONE
    ) -> None:
        self._path, self._deadline, self._clock = path, deadline, clock
        self._credentials = credentials
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._daemon = VERSION

    def __enter__(self) -> "Link":
        if self._path.startswith("tcp://"):
            self._connect_tcp()
            return self
        try:
            self._in_time()
            self._socket.connect(self._path)
        except PermissionError as e:
            self._socket.close()
            raise forbidden(self._path) from e
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as e:
            self._socket.close()
            raise NotListening(f"no daemon is listening on {self._path}") from e
        except (BlockingIOError, TimeoutError) as e:
            self._socket.close()
            raise TimeoutError(f"the daemon at {self._path} lets nobody in") from e
        except OSError as e:
            self._socket.close()
            message = f"{self._path}: {e.strerror or e}"
            raise NoReply(Exit.UNREACHABLE, "UNREACHABLE", message, START) from e
        return self

    def _connect_tcp(self) -> None:
        """Connect over TLS; what is not there may come, what is not trusted won't be."""
        self._in_time()
        self._socket.close()
        try:
            left = self._deadline - self._clock.mono()
            self._socket = connected(self._path, self._credentials, left)
        except CredentialsInvalid as e:
            raise NoReply(e.exit, e.fault.code, str(e), e.fault.hint) from e
        except Untrusted as e:
            hint = "say whose word to take with --tls-ca FILE (TM_TLS_CA)"
            raise NoReply(Exit.INVALID, "TLS_UNTRUSTED", str(e), hint) from e
        except TimeoutError as e:
            raise TimeoutError(f"{self._path} lets nobody in") from e
        except (ConnectionResetError, EOFError) as e:
            raise HungUp(f"{self._path} hung up") from e
        except OSError as e:
            if type(e).__module__ == "ssl":
                raise HungUp(f"{self._path} hung up: {e.strerror or e}") from e
            raise NotListening(f"no daemon answers at {self._path}: {e.strerror or e}") from e

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def greet(self) -> None:
        """Exchange versions; raise Busy, or NoReply for a daemon of another protocol."""
        self.send(encode(Hello(PROTOCOL, VERSION, self._credentials.token)))
        try:
            welcome = decode_welcome(self._receive())
        except msgspec.MsgspecError as e:
            raise not_understood(e) from e
        self._daemon = welcome.version
        if welcome.error is None:
            return
        if welcome.error.code in LATER:
            raise Busy(welcome.error)
        fault = welcome.error
        if fault.code in SKEWED:
            fault = explained(fault, welcome.version)
        denied = fault.code == "NOT_AUTHORISED"
        exit_ = Exit.NOT_AUTHORISED if denied else Exit.INVALID
        raise NoReply(exit_, fault.code, fault.message, fault.hint)

    def send(self, body: bytes) -> None:
        """Send a frame. A daemon that hangs up meanwhile may have said why: that is read next."""
        self._in_time()
        try:
            self._socket.sendall(frame(body))
        except TimeoutError:
            raise
        except OSError as e:
            if not isinstance(e, ConnectionError) and type(e).__module__ != "ssl":
                raise

    def reply(self) -> Reply:
        """Return the reply, with a warning when the daemon is of another version."""
        try:
            reply = decode_reply(self._receive())
        except msgspec.MsgspecError as e:
            raise not_understood(e, self._daemon) from e
        if self._daemon == VERSION:
            return reply
        if reply.error is not None and reply.error.code in SKEWED:
            return replace(reply, error=explained(reply.error, self._daemon))
        return replace(reply, warnings=(*reply.warnings, differing(self._daemon)))

    def _receive(self) -> bytes:
        size = int.from_bytes(self._exactly(4), "big")
        if size > FRAME_LIMIT:
            raise not_understood(ValueError(f"a frame of {size:,} bytes"))
        return self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        read = bytearray()
        while len(read) < size:
            self._in_time()
            try:
                chunk = self._socket.recv(size - len(read))
            except ConnectionResetError as e:
                raise HungUp("the daemon closed the connection") from e
            except OSError as e:
                if type(e).__module__ != "ssl":
                    raise
                hint = "see --tls-cert, --tls-key and --token-file"
                why = f"{self._path} ended the connection: {e}"
                raise NoReply(Exit.NOT_AUTHORISED, "NOT_AUTHORISED", why, hint) from e
            if not chunk:
                raise HungUp("the daemon closed the connection")
            read += chunk
        return bytes(read)

    def _in_time(self) -> None:
        """Let the socket wait until the deadline, and no longer."""
        left = self._deadline - self._clock.mono()
        if left <= 0:
            raise TimeoutError("the daemon did not answer in time")
        self._socket.settimeout(left)


def forbidden(path: str) -> NoReply:
    """Return the refusal of a socket that this user may not open."""
    message = f"user id {os.geteuid()} may not connect to {path}"
    hint = "join the group that owns it, or ask through a user who may"
    return NoReply(Exit.NOT_AUTHORISED, "NOT_AUTHORISED", message, hint)


def not_understood(error: Exception, daemon: str = VERSION) -> NoReply:
    """Return the failure of an answer that is none; `daemon` is the version it said it is."""
    hint = f"is it a trade-manager daemon, and of version {VERSION}? try `tm ping`"
    fault = Fault("BAD_REPLY", f"the answer can't be read: {error}", hint)
    fault = explained(fault, daemon)
    return NoReply(Exit.INTERNAL, fault.code, fault.message, fault.hint)


def given_up(
    trouble: Exception, path: str, request: Asked[Any], timeout: float, *, doubt: bool
) -> NoReply:
    """Return what to say when there is no more time, or no more hope.

    `doubt` is whether the daemon may have read the request.
    """
    if doubt and request.key is not None:
        message = f"no reply within {timeout:g} s: {trouble}; whether it took effect is unknown"
        hint = f"ask again with the same key: --key '{request.key}'"
        return NoReply(Exit.PENDING, "OUTCOME_PENDING", message, hint)
    if isinstance(trouble, Busy):
        return NoReply(Exit.NOT_READY, trouble.fault.code, str(trouble), trouble.fault.hint)
    if isinstance(trouble, NotListening):
        return NoReply(Exit.UNREACHABLE, "UNREACHABLE", str(trouble), START, absent=True)
    message = f"{path} gave no reply within {timeout:g} s: {trouble}"
    if doubt:
        return NoReply(Exit.PENDING, "TIMED_OUT", message, "ask again, or raise --timeout")
    hint = "the daemon may hang; see its log, and `tm halt --offline` stops its orders"
    return NoReply(Exit.UNREACHABLE, "UNREACHABLE", message, hint)
