"""The wire by hand: a client that may say anything."""

import socket
from contextlib import suppress
from typing import Any

import msgspec

from control.protocol import (
    PROTOCOL,
    Asked,
    Hello,
    Reply,
    Welcome,
    decode_reply,
    decode_welcome,
    encode,
    frame,
)


class Wire:
    """One connection; `timeout` seconds is longer than any answer takes."""

    def __init__(self, path: str, timeout: float = 10.0, *, greet: bool = True) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        try:
            self.socket.connect(path)
            if greet:
                assert self.greet().error is None
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def greet(self, protocol: int = PROTOCOL) -> Welcome:
        """Exchange versions."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.say(encode(Hello(protocol, "9.9.9")))  # it may say why, and hang up, before
        return decode_welcome(self.frame())

    def say(self, body: bytes) -> None:
        """Send a frame."""
        self.socket.sendall(frame(body))

    def ask(self, question: msgspec.Struct, **how: Any) -> Reply:
        """Ask, and return the reply."""
        self.say(encode(Asked(question, **how)))
        return self.reply()

    def reply(self) -> Reply:
        """Return the next frame as a reply."""
        return decode_reply(self.frame())

    def frame(self) -> bytes:
        """Return the next frame's body; EOFError when there is none."""
        return self.exactly(int.from_bytes(self.exactly(4), "big"))

    def exactly(self, size: int) -> bytes:
        """Return `size` bytes."""
        read = b""
        while len(read) < size:
            try:
                chunk = self.socket.recv(size - len(read))
            except ConnectionResetError:
                chunk = b""
            if not chunk:
                raise EOFError
            read += chunk
        return read

    def closed(self) -> bool:
        """Return whether the daemon hung up without another word."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
