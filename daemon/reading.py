"""A frame's bytes to a request: strict, bounded, and never a crash."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from control.key import KeyInvalid, checked
from control.protocol import Exit, Fault, Query
from control.request import Request, decode_request
from state.instrument import LARGEST, MICRO

LONGEST_TEXT: Final = 1000  # characters
MOST: Final = 1000  # items of a list
RANGES: Final = {  # seconds, or counts
    "wait": (0, 86_400),
    "ttl": (1, 30 * 86_400),
    "max_lateness": (0, 3650 * 86_400),
    "limit": (1, 10_000),
}
DOCUMENTS: Final = {"statement"}  # whole files: bounded by the frame, and looked at by their reader
SKEW: Final = "the client and the daemon may be of different versions: compare with `tm ping`"


class Unreadable(Exception):
    """A frame is no request: what the client is told, and what it ends with."""

    def __init__(self, exit_: Exit, fault: Fault) -> None:
        super().__init__(fault.message)
        self.exit, self.fault = exit_, fault


def request_of(body: bytes) -> Request:
    """Return the request in a frame's body; raise Unreadable for anything else."""
    try:
        request = decode_request(body)
        if request.key is not None:
            once(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as e:
        what = "it is nested too deeply" if isinstance(e, RecursionError) else str(e)[:LONGEST_TEXT]
        raise Unreadable(
            Exit.USAGE, Fault("BAD_REQUEST", f"the frame is no request: {what}", SKEW)
        ) from None
    bounded(request)
    return request


def once(body: bytes) -> None:
    """Raise ValueError when an object names a key twice.

    msgspec would take the last of the two, and whoever reads the log might see the first.
    """
    json.loads(body.decode(), object_pairs_hook=distinct, parse_int=str, parse_float=str)


def distinct(pairs: list[tuple[str, Any]]) -> None:
    """Raise ValueError when two of `pairs` have one key."""
    seen = set()
    for key, _ in pairs:
        if key in seen:
            raise ValueError(f"the key {key!r} stands in one object twice")
        seen.add(key)


def bounded(request: Request) -> None:
    """Raise Unreadable for a value out of its bounds, or a command without a key."""
    for name in ("wait", "max_lateness", "scheduled_for"):
        check(name, getattr(request, name))
    for name in request.ask.__struct_fields__:
        check(name, getattr(request.ask, name))
    if request.key is not None:
        try:
            checked(request.key)
        except KeyInvalid as e:
            raise invalid(str(e), "the same key means the same command, for ever") from None
    elif not isinstance(request.ask, Query):
        raise invalid("a command that changes something needs a key", "give it one, and keep it")


def check(name: str, value: object) -> None:
    """Raise Unreadable when a field's value is out of bounds."""
    match value:
        case Decimal() if not value.is_finite() or value.copy_abs() > LARGEST:
            raise invalid(f"{name} = {short(value)} is not within ±{LARGEST:,}", "")
        case Decimal() if value % MICRO or 0 < value.copy_abs() < MICRO:  # % has a limit of its own
            raise invalid(f"{name} = {short(value)} has more than 6 decimals", "round it")
        case float() | int() if name in RANGES:
            low, high = RANGES[name]
            if not low <= value <= high:
                raise invalid(f"{name} = {short(value)} is not from {low} to {high:,}", "")
        case str() if name in DOCUMENTS:
            pass
        case str() if len(value) > LONGEST_TEXT:
            size = f"{len(value):,} characters"
            raise invalid(f"{name} of {size} is longer than {LONGEST_TEXT:,}", "shorten it")
        case str() if not value.isprintable():
            raise invalid(f"{name} = {short(value)} holds unprintable characters", "")
        case datetime() if value.tzinfo is None:
            raise invalid(f"{name} = {value} names no time zone", "end it with Z or an offset")
        case tuple() if len(value) > MOST:
            raise invalid(f"{name} of {len(value):,} items is longer than {MOST:,}", "")
        case tuple():
            for item in value:
                check(name, item)


def short(value: object) -> str:
    """Return a value's text, cut where nobody reads on."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def invalid(message: str, hint: str) -> Unreadable:
    """Return the refusal of a value."""
    return Unreadable(Exit.INVALID, Fault("INVALID_ARGUMENT", message, hint))
