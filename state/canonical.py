"""The exact bytes of events and snapshots on disk.

JSON with money and quantities as integers of micros, times in UTC, numbers finite. Struct fields
come in the order they are declared and mappings in their own order: the order of orders and plans
is part of what is known, and whatever is iterated must be the same after a restart.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from hashlib import blake2b
from math import isfinite
from typing import Any, Final, get_args

import msgspec
from msgspec import inspect

from state.event import Event
from state.instrument import MICRO
from state.snapshot import Snapshot

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
MILLION: Final = Decimal(1_000_000)
LARGEST: Final = (1 << 63) - 1
SMALLEST: Final = -LARGEST
STRICT: Final = Context(prec=60, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])
TIMES: Final = STRICT.multiply  # bound once: a bar has up to five amounts, a close twenty bars
WHOLE: Final = STRICT.to_integral_exact

Mend = Callable[[Any], Any]
Leaves = Mapping[type[inspect.Type], Mend]


class Unrepresentable(ValueError):
    """A value has no exact form on disk."""


class Undecodable(ValueError):
    """A body holds something that this version does not know."""


def micros(value: Decimal) -> int:
    """Return `value` in millionths; raise Unrepresentable when that is no whole int64."""
    try:
        whole = int(WHOLE(TIMES(value, MILLION)))
    except (Inexact, InvalidOperation, ValueError, OverflowError) as error:
        raise Unrepresentable(f"{value} is not a whole number of millionths") from error
    if SMALLEST <= whole <= LARGEST:
        return whole
    raise Unrepresentable(f"{value} is beyond ±9.2e12, the range of 64-bit micros")


def from_micros(whole: int) -> Decimal:
    """Return the exact amount that `whole` millionths are, with six decimals."""
    if type(whole) is not int:
        raise Undecodable(f"{whole!r} is not an integer of micros")
    return TIMES(whole, MICRO)


def microseconds(at: datetime) -> int:
    """Return microseconds since 1970; raise Unrepresentable for a time without a zone."""
    return (utc(at) - EPOCH) // MICROSECOND


def instant(since_epoch: int) -> datetime:
    """Return the UTC time that many microseconds after 1970."""
    return EPOCH + timedelta(microseconds=since_epoch)


def utc(at: datetime) -> datetime:
    """Return the same instant in UTC."""
    if at.tzinfo is UTC:
        return at
    if at.tzinfo is None:
        raise Unrepresentable(f"{at} has no time zone")
    return at.astimezone(UTC)


def finite(value: float) -> float:
    """Return `value`, as a float even when it came as an int: JSON would write NaN as null."""
    if not isfinite(value):
        raise Unrepresentable(f"{value} is not a finite number")
    return value * 1.0


ON_THE_WAY_IN: Final[Leaves] = {
    inspect.DecimalType: micros,
    inspect.FloatType: finite,
    inspect.DateTimeType: utc,
}
ON_THE_WAY_OUT: Final[Leaves] = {inspect.DecimalType: from_micros}
PLAIN: Final = (
    inspect.BoolType,
    inspect.BytesType,  # as base64
    inspect.DateTimeType,
    inspect.DateType,
    inspect.EnumType,
    inspect.FloatType,
    inspect.IntType,
    inspect.LiteralType,
    inspect.NoneType,
    inspect.StrType,
)


def mender(kind: inspect.Type, leaves: Leaves) -> Mend | None:
    """Compile the walk that mends, in place, the leaves in plain data of a type.

    It visits only the branches that have such leaves; None when there is none.
    """
    if leaf := leaves.get(type(kind)):
        return leaf
    match kind:
        case inspect.StructType():
            return struct_mender(kind, leaves)
        case inspect.VarTupleType(item_type=item) | inspect.ListType(item_type=item):
            each = mender(item, leaves)
            return None if each is None else lambda items: [each(item) for item in items]
        case inspect.DictType(key_type=inspect.StrType(), value_type=value):
            return mapping_mender(value, leaves)
        case inspect.UnionType(types=types):
            some = [m for m in (mender(each, leaves) for each in types) if m]
            if len(some) > 1 or (some and len(types) > 2):
                raise TypeError(f"{kind} cannot be journaled: which of them a value is, is unclear")
            return optional(some[0]) if some else None
        case _ if isinstance(kind, PLAIN):
            return None
    raise TypeError(f"{kind} cannot be journaled: state.canonical has no exact form for it")


def optional(mend: Mend) -> Mend:
    """Return `mend` for values that may be None."""
    return lambda value: None if value is None else mend(value)


def mapping_mender(value: inspect.Type, leaves: Leaves) -> Mend | None:
    """Compile the walk over a mapping's values."""
    each = mender(value, leaves)
    if each is None:
        return None

    def mend(mapping: dict[str, Any]) -> dict[str, Any]:
        for key, item in mapping.items():
            mapping[key] = each(item)
        return mapping

    return mend


def struct_mender(kind: inspect.StructType, leaves: Leaves) -> Mend | None:
    """Compile the walk over one struct, as a row when it is array-like, as an object otherwise."""
    offset = 1 if kind.array_like and kind.tag is not None else 0
    spots: list[tuple[int | str, Mend, bool]] = []
    for place, field in enumerate(kind.fields, offset):
        mend = mender(field.type, leaves)
        if mend is not None:
            none_allowed = isinstance(field.type, inspect.UnionType)
            spots.append((place if kind.array_like else field.encode_name, mend, none_allowed))
    if not spots:
        return None

    def mend_struct(plain: Any) -> Any:
        for spot, mend, none_allowed in spots:
            try:
                value = plain[spot]
            except (KeyError, IndexError):  # older than the field: its default will do
                continue
            if value is None and none_allowed:
                continue
            try:
                plain[spot] = mend(value)
            except (Unrepresentable, Undecodable) as error:
                error.add_note(f"at {spot!r} of a {kind.cls.__name__}")
                raise
        return plain

    return mend_struct


def unchanged(plain: Any) -> Any:
    """Return what has nothing to mend."""
    return plain


EVENTS: Final[Mapping[str, type[Event]]] = {
    str(kind.__struct_config__.tag): kind for kind in get_args(Event)
}
KINDS: Final[Mapping[type, str]] = {kind: tag for tag, kind in EVENTS.items()}
INWARD: Final[Mapping[type, Mend]] = {
    kind: mender(inspect.type_info(kind), ON_THE_WAY_IN) or unchanged
    for kind in (*get_args(Event), Snapshot)
}
OUTWARD: Final[Mapping[type, Mend]] = {
    kind: mender(inspect.type_info(kind), ON_THE_WAY_OUT) or unchanged
    for kind in (*get_args(Event), Snapshot)
}
# What a stored snapshot was folded into. One of another shape is no shortcut: a field added since
# would hold its default instead of what the events say. `apply` is part of the meaning: FOLD rises
# when it makes something else of the same events.
FOLD: Final = 4
SHAPE: Final = blake2b(
    b"%d" % FOLD + msgspec.json.encode(msgspec.json.schema(Snapshot)), digest_size=32
).digest()
to_json = msgspec.json.Encoder().encode
from_json = msgspec.json.Decoder().decode


def body_of(fact: Event | Snapshot) -> bytes:
    """Return the bytes that stand for an event or a snapshot, the same for the same value.

    Raises Unrepresentable where a value has no exact form.
    """
    plain = msgspec.to_builtins(fact, builtin_types=(Decimal, datetime))
    return to_json(INWARD[type(fact)](plain))


def kind_of(event: Event) -> str:
    """Return the name an event's type has on disk."""
    return KINDS[type(event)]


def event_in(body: bytes) -> Event:
    """Return the event that `body` stands for; raise Undecodable when it stands for none."""
    try:
        plain = from_json(body)
        kind = EVENTS[plain["type"]]
        return msgspec.convert(OUTWARD[kind](plain), kind)
    except (msgspec.MsgspecError, LookupError, TypeError, AttributeError) as error:
        raise Undecodable(f"no event this version knows: {body[:80]!r} ({error!r})") from error


def snapshot_in(body: bytes) -> Snapshot:
    """Return the snapshot that `body` stands for; raise Undecodable when it stands for none."""
    try:
        return msgspec.convert(OUTWARD[Snapshot](from_json(body)), Snapshot)
    except (msgspec.MsgspecError, LookupError, TypeError, AttributeError) as error:
        raise Undecodable(f"no snapshot this version knows: {body[:80]!r} ({error!r})") from error
