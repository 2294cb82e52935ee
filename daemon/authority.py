"""Who may do what, in force: read from the roles file, read again on SIGHUP, asked per request."""

import logging
import os
import stat
from collections.abc import Mapping
from hashlib import sha256
from hmac import compare_digest
from typing import Final

from daemon.principal import Peer, Principal, account, own_uid
from state.authority import Grant, Role, Verdict, judged
from state.given import ConfigurationInvalid, Problem
from state.roles import Roles, builtin_roles, decode_roles, refused
from state.settings import Control

SHORTEST: Final = 32  # characters of a token: 128 bits, if it is written in hexadecimal digits
LONGEST: Final = 1024

log = logging.getLogger(__name__)


class Authority:
    """Knows what each principal may. `reload` takes over a mended file, or keeps the old one."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._roles, self._tokens = read(control)

    def reload(self) -> None:
        """Read the file again. One that is broken changes nothing, and is said to be broken."""
        try:
            self._roles, self._tokens = read(self._control)
        except ConfigurationInvalid as e:
            log.error("roles_refused", extra={"problems": list(map(str, e.problems))})  # noqa: TRY400
            return
        log.info("roles_loaded", extra={"principals": len(self._roles.entries)})

    def holder(self, token: str) -> str | None:
        """Return whose token it is; every one is compared, and each in constant time."""
        given, found = digest(token), None
        for name, known in self._tokens.items():
            if compare_digest(known, given):
                found = name
        return found

    def grant(self, who: Peer) -> Grant:
        """Return what somebody may now."""
        roles = self._roles
        if isinstance(who, Principal):
            return roles.local(who.uid, (who.gid, *who.groups), who.name)
        if who.holder:
            known = next((e.grant for e in roles.entries if e.name == who.holder), None)
        else:
            known = roles.certified(who.certificate)
        return known or Grant(who.name, Role.NONE, "no principal of the roles file")

    def judge(self, ask: object, who: Peer) -> tuple[Grant, Verdict]:
        """Return what somebody may, and whether this request is part of it."""
        grant = self.grant(who)
        return grant, judged(ask, grant)


def read(control: Control) -> tuple[Roles, Mapping[str, bytes]]:
    """Return the roles, and each token's hash by principal; raise ConfigurationInvalid."""
    unknown = Role[control.unknown_uid.upper()]
    path = control.roles_file
    if not path:
        return builtin_roles({uid: account(uid) for uid in (0, own_uid())}, unknown), {}
    roles = decode_roles(contents(path, stat.S_IWOTH, "written"), path, unknown)
    tokens = {}
    for entry in roles.entries:
        if entry.token_file is not None:
            token = contents(entry.token_file, stat.S_IWOTH | stat.S_IROTH, "read or written")
            tokens[entry.name] = digest(checked(token.strip(), entry.token_file))
    if len(set(tokens.values())) < len(tokens):
        raise refused(path, "two principals hold the same token")
    return roles, tokens


def contents(path: str, forbidden: int, how: str) -> str:
    """Return a file's text; raise ConfigurationInvalid for one that others may do `how` to."""
    try:
        with open(path, encoding="utf-8") as file:
            if os.fstat(file.fileno()).st_mode & forbidden:
                what = f"{path} can be {how} by any user of the machine"
                raise ConfigurationInvalid([Problem(path, "", what, f"chmod o= {path}")])
            return file.read(1 << 20)
    except (OSError, UnicodeDecodeError) as e:
        what = f"can't be read: {getattr(e, 'strerror', None) or e}"
        hint = f"make it readable for uid {own_uid()}"
        raise ConfigurationInvalid([Problem(path, "control.roles_file", what, hint)]) from e


def checked(token: str, path: str) -> str:
    """Return a token that nobody guesses; raise ConfigurationInvalid."""
    if not SHORTEST <= len(token) <= LONGEST or not token.isascii() or not token.isprintable():
        what = f"a token is one line of {SHORTEST} to {LONGEST} printable ASCII characters"
        hint = "make one with scripts/certificates, or `openssl rand -hex 32`"
        raise ConfigurationInvalid([Problem(path, "", what, hint)])
    return token


def digest(token: str) -> bytes:
    """Return what is kept of a token."""
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
