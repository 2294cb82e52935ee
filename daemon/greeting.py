"""The first exchange: versions, and who it is."""

import os
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from control.protocol import PROTOCOL, Fault, Hello, Welcome, decode_hello, encode
from daemon.connection import Connection
from daemon.door import STRANGER
from daemon.principal import Peer, Principal

HELLO_LIMIT: Final = 4096  # bytes of the first frame: whoever sends it may be anybody

Who = Principal | Callable[[str], Awaitable[Peer | None]]  # who it is, or finds out by the token


def welcome(version: str, fault: Fault | None = None) -> bytes:
    """Return the daemon's first frame's body; a `fault` is why there won't be a second."""
    return encode(Welcome(PROTOCOL, version, os.getpid(), fault))


async def greeted(connection: Connection, who: Who, version: str, patience: float) -> Peer | None:
    """Exchange versions within `patience` seconds; return who it is, None for one to leave."""
    body = await connection.receive(patience, HELLO_LIMIT)
    try:
        hello = decode_hello(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
        what = f"the first frame is no hello: {str(e)[:200]}"
        fault = Fault("BAD_REQUEST", what, "is this `tm`?")
    else:
        known = who if isinstance(who, Principal) else await who(hello.token)
        if known is not None and hello.protocol == PROTOCOL:
            await connection.send(welcome(version))
            return known
        fault = STRANGER if known is None else mismatch(hello, version)
    await connection.send(welcome(version, fault))
    return None


def mismatch(hello: Hello, version: str) -> Fault:
    """Return the refusal of another protocol."""
    return Fault(
        "PROTOCOL_MISMATCH",
        f"client {hello.version} speaks protocol {hello.protocol}, daemon {version} "
        f"speaks {PROTOCOL}",
        "install the same version on both sides",
    )
