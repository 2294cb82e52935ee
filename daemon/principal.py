"""Who is asking, as the kernel says it."""

import pwd
import socket
import struct
from functools import lru_cache
from typing import Final

import msgspec

UCRED: Final = struct.Struct("3i")  # pid, uid, gid of the peer, as at its connect()


class Principal(msgspec.Struct, frozen=True):
    """The user at the other end of the socket; `name` is "uid:N" where no account has that uid."""

    uid: int
    gid: int
    name: str


def peer(connection: socket.socket) -> Principal:
    """Return who connected. The pid is left out: in another container's namespace it is 0."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size)
    _, uid, gid = UCRED.unpack(raw)
    return Principal(uid, gid, account(uid))


@lru_cache(maxsize=256)
def account(uid: int) -> str:
    """Return the account's name of a uid."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid:{uid}"
