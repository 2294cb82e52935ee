"""A calendar kept in a file: computing its sessions takes a second, and a restart should not."""

import logging
import zoneinfo
from hashlib import blake2b
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Final

import msgspec

from daemon.calendar import FIRST, LAST, Calendar, Session

DIGEST: Final = 32  # bytes at the head of the file: of all that follows

log = logging.getLogger(__name__)


class Kept(msgspec.Struct, frozen=True):
    """What is in the file; `made_of` changes with whatever the sessions were computed from."""

    made_of: str
    name: str
    zone: str
    sessions: tuple[Session, ...]


def kept(file: Path, name: str) -> Calendar | None:
    """Return the calendar that is kept in a file; None when another is, or it can't be relied on.

    It can be when it is whole, and neither exchange_calendars nor its zone's rules have changed.
    """
    try:
        written = file.read_bytes()
        digest, body = written[:DIGEST], written[DIGEST:]
        if digest != blake2b(body, digest_size=DIGEST).digest():
            return None
        found = msgspec.msgpack.decode(body, type=Kept)
        if found.name != name or found.made_of != source(found.zone):
            return None
    except (OSError, msgspec.MsgspecError):
        return None
    return Calendar(found.name, found.zone, found.sessions)


def keep(file: Path, calendar: Calendar) -> None:
    """Keep a calendar for the next start. That it can't be kept costs a second then, no more."""
    beside = file.with_name(f"{file.name}.new")
    try:
        made_of = source(calendar.zone)
        sessions = tuple(calendar.sessions)
        beside.write_bytes(packed(Kept(made_of, calendar.name, calendar.zone, sessions)))
        beside.replace(file)
    except OSError as error:
        log.warning("calendar_not_kept", extra={"detail": str(error)})


def packed(calendar: Kept) -> bytes:
    """Return the bytes of the file."""
    body = msgspec.msgpack.encode(calendar)
    return blake2b(body, digest_size=DIGEST).digest() + body


def source(zone: str) -> str:
    """Return what sessions in `zone` are computed from: the library, the years, the zone's rules.

    Raises OSError when the zone's rules can't be read.
    """
    rules = blake2b(rules_of(zone), digest_size=16).hexdigest()
    return f"exchange_calendars {version('exchange_calendars')}, {FIRST} to {LAST}, {rules}"


def rules_of(zone: str) -> bytes:
    """Return the bytes of a time zone's rules, from where `zoneinfo` takes them."""
    for folder in map(Path, zoneinfo.TZPATH):
        if (file := folder / zone).is_file():
            return file.read_bytes()
    return files("tzdata.zoneinfo").joinpath(zone).read_bytes()
