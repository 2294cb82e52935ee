"""Who is asking, as the kernel or the certificate says it."""

import os
import pwd
import socket
import struct
from functools import lru_cache
from typing import Final

import msgspec

from state.command import Caps

UCRED: Final = struct.Struct("3i")  # pid, uid, gid of the peer, as at its connect()
PEER_GROUPS: Final = 59  # SO_PEERGROUPS, which Python's socket does not name
MOST_GROUPS: Final = 65_536  # NGROUPS_MAX of Linux


class Principal(msgspec.Struct, frozen=True):
    """The user at the other end of the socket; `name` is "uid:N" where no account has that uid."""

    uid: int
    gid: int
    name: str
    groups: tuple[int, ...] = ()


class Remote(msgspec.Struct, frozen=True):
    """Who came over TLS from `address`: by certificate, or by the token of a principal."""

    address: str
    certificate: tuple[str, ...] = ()  # the DNS names that a certificate of ours vouches for
    holder: str = ""  # the name of the principal whose token it is

    @property
    def name(self) -> str:
        """Return the name to speak of it by before anybody knows who it is."""
        return self.holder or next(iter(self.certificate), f"tcp:{self.address}")


Peer = Principal | Remote


class Caller(msgspec.Struct, frozen=True):
    """Who asks, once it is known what they may: as the journal names them."""

    name: str
    uid: int | None
    rule: str
    caps: Caps = Caps()


def peer(connection: socket.socket) -> Principal:
    """Return who connected. The pid is left out: in another container's namespace it is 0."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size)
    _, uid, gid = UCRED.unpack(raw)
    return Principal(uid, gid, account(uid), groups(connection))


def groups(connection: socket.socket) -> tuple[int, ...]:
    """Return the supplementary groups of who connected; none where the kernel does not say."""
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, PEER_GROUPS, 4 * 64)
    except OSError:
        try:
            raw = connection.getsockopt(socket.SOL_SOCKET, PEER_GROUPS, 4 * MOST_GROUPS)
        except OSError:
            return ()
    return struct.unpack(f"{len(raw) // 4}I", raw)


@lru_cache(maxsize=256)
def account(uid: int) -> str:
    """Return the account's name of a uid."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid:{uid}"


def own_uid() -> int:
    """Return the user the daemon runs as."""
    return os.geteuid()
