"""The roles file: a TOML text in, checked principals out, and which of them somebody is."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from state.authority import RIGHTS, Grant, Role
from state.bounds import not_negative
from state.command import Caps
from state.given import ConfigurationInvalid, Problem

NAME: Final = re.compile(r"[A-Za-z0-9_.@-]{1,64}")
Id = Annotated[int, Meta(ge=0, le=2**32 - 2)]
Count = Annotated[int, Meta(ge=0, le=1_000_000)]


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One principal: who it is by exactly one of `uid`, `gid`, `token_file`, `certificate`."""

    name: str
    role: Literal["viewer", "operator", "admin"]
    uid: Id | None = None
    gid: Id | None = None
    token_file: str | None = None
    certificate: str | None = None  # a DNS name of the client certificate's subjectAltName
    operations: tuple[str, ...] | None = None
    operations_a_day: Count | None = None
    notional_a_day: Decimal | None = None

    @property
    def grant(self) -> Grant:
        """Return what this principal may."""
        allowed = None if self.operations is None else frozenset(self.operations)
        caps = Caps(self.operations_a_day, self.notional_a_day)
        return Grant(self.name, Role[self.role.upper()], f"roles: {self.name}", allowed, caps)


class Roles(msgspec.Struct, frozen=True):
    """Who may do what. `unknown` is the role of a local uid that no entry names."""

    entries: tuple[Entry, ...]
    unknown: Role = Role.VIEWER

    def local(self, uid: int, gids: Sequence[int], account: str) -> Grant:
        """Return what a user of this machine may: by uid first, then the first entry of a gid."""
        for entry in self.entries:
            if entry.uid == uid:
                return entry.grant
        for entry in self.entries:
            if entry.gid is not None and entry.gid in gids:
                return msgspec.structs.replace(entry.grant, name=f"{entry.name}:{account}")
        return Grant(account, self.unknown, f"control.unknown_uid = {self.unknown.word}")

    def certified(self, names: Sequence[str]) -> Grant | None:
        """Return what the holder of a certificate with these DNS names may; None for a stranger."""
        return next((e.grant for e in self.entries if e.certificate in names), None)


def builtin_roles(owners: Mapping[int, str], unknown: Role) -> Roles:
    """Return who may do what where no file says it: `owners`, accounts by uid, may everything."""
    return Roles(tuple(Entry(who, "admin", uid=uid) for uid, who in owners.items()), unknown)


def decode_roles(text: str, path: str, unknown: Role) -> Roles:
    """Return what the roles file `path` holding `text` says; raise ConfigurationInvalid."""
    try:
        document: Mapping[str, Any] = tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, RecursionError) as e:
        raise refused(path, f"not TOML: {e}") from None
    if surplus := sorted(set(document) - {"principal"}):
        raise refused(path, f"unknown key {surplus[0]}; principals stand under [[principal]]")
    try:
        entries = msgspec.convert(document.get("principal", []), tuple[Entry, ...])
    except (msgspec.ValidationError, ArithmeticError, OverflowError) as e:
        raise refused(path, str(e)) from None
    see = "see docs/security.md"
    problems = [
        Problem(path, "roles", f"{e.name}: {what}", see) for e in entries for what in wrong(e)
    ]
    problems += [
        Problem(path, "roles", f"{kind} {one!r} stands there more than once", see)
        for kind, ones in identities(entries).items()
        for one in sorted({one for one in ones if ones.count(one) > 1}, key=str)
    ]
    if not entries:
        problems.append(Problem(path, "roles", "names nobody", "add a [[principal]]"))
    if problems:
        raise ConfigurationInvalid(problems)
    return Roles(entries, unknown)


def identities(entries: Sequence[Entry]) -> dict[str, list[Any]]:
    """Return what must be there once, by kind."""
    kinds = ("name", "uid", "gid", "token_file", "certificate")
    every = {kind: [getattr(entry, kind) for entry in entries] for kind in kinds}
    return {kind: [one for one in ones if one is not None] for kind, ones in every.items()}


def wrong(entry: Entry) -> list[str]:
    """Return what is wrong with one principal."""
    found = []
    if not NAME.fullmatch(entry.name):
        found.append("a name is 1 to 64 letters, digits and . _ @ -")
    who = (entry.uid, entry.gid, entry.token_file, entry.certificate)
    if sum(one is not None for one in who) != 1:
        found.append("needs exactly one of uid, gid, token_file, certificate")
    if entry.token_file is not None and not entry.token_file.startswith("/"):
        found.append("token_file must be an absolute path")
    if entry.certificate is not None and not entry.certificate.strip():
        found.append("certificate must be a DNS name of the certificate")
    strange = sorted(set(entry.operations or ()) - RIGHTS.keys())
    if strange:
        found.append(f"{strange[0]} is no operation; known are {', '.join(sorted(RIGHTS))}")
    cap = entry.notional_a_day
    if cap is not None and (complaint := not_negative(cap)):
        found.append(f"notional_a_day {complaint}")
    return found


def refused(path: str, what: str) -> ConfigurationInvalid:
    """Return the refusal of the whole file."""
    hint = "see docs/security.md for what it may hold"
    return ConfigurationInvalid([Problem(path, "control.roles_file", what, hint)])
