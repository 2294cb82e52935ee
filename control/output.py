"""The two streams: tables for people; for programs one line of JSON, whole, and the last thing."""

import os
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from control.protocol import SCHEMA, Fault, Reply, encode
from control.version import VERSION

XCOM_LIMIT: Final = 4096  # bytes: a pipe writes that many in one piece
XCOM_PAUSE: Final = 0.05  # seconds for the streams' reader to take what came before
MESSAGE_LIMIT: Final = 300  # characters of a text that is cut

Path = tuple[str, ...]


class Envelope(msgspec.Struct, frozen=True):
    """What programs read, the same around every result.

    `error` is why there is none; `note` why there was nothing to do, which is no error.
    """

    schema: str
    command: str
    ok: bool
    status: str
    key: str | None
    command_id: str | None
    replayed: bool
    as_of: datetime | None
    seq: int
    data: Any
    error: Fault | UnsetType
    note: Fault | UnsetType
    warnings: tuple[str, ...]
    version: str
    elapsed_ms: int


def enveloped(reply: Reply, command: str, elapsed: float) -> Envelope:
    """Return a reply as programs read it; `elapsed` is in seconds."""
    return Envelope(
        schema=SCHEMA,
        command=command,
        ok=reply.ok,
        status=reply.status,
        key=reply.key,
        command_id=reply.command_id,
        replayed=reply.replayed,
        as_of=reply.as_of,
        seq=reply.seq,
        data=reply.data,
        error=UNSET if reply.error is None or reply.ok else reply.error,
        note=UNSET if reply.error is None or not reply.ok else reply.error,
        warnings=reply.warnings,
        version=VERSION,
        elapsed_ms=round(elapsed * 1000),
    )


def line(envelope: Envelope) -> bytes:
    """Return an envelope as one line."""
    return msgspec.json.encode(envelope) + b"\n"


def fitted(envelope: Envelope, limit: int = XCOM_LIMIT, whole: str = "") -> bytes:
    """Return an envelope as one line of at most `limit` bytes.

    While it is too long the largest list or table inside `data` is emptied, ties by name; then all
    of `data`; then texts are cut. What was cut is named in `warnings`, and that `whole` has it.
    """
    said = envelope.warnings
    cut: list[str] = []
    where = f"; whole in {whole}" if whole else "; --output FILE keeps the whole"
    while len(text := line(envelope)) > limit:
        if found := largest(envelope.data):
            path, size = found
            cut.append(f"data.{'.'.join(path)} ({size} items)")
            data = emptied(envelope.data, path)
        elif envelope.data is not None:
            cut, data = ["data"], None
        else:
            return line(shortened(envelope, said))
        note = f"cut to fit {limit} bytes: {', '.join(cut)}{where}"
        envelope = replace(envelope, data=data, warnings=(*said, note))
    return text


def largest(data: Any) -> tuple[Path, int] | None:
    """Return where the list or table of the longest encoding stands, and its number of items."""
    found = [
        (len(encode(part)), path, len(part))
        for path, part in collections(data, ())
        if path and part
    ]
    if not found:
        return None
    _, path, size = min(found, key=lambda one: (-one[0], one[1]))
    return path, size


def collections(data: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Yield every list, and every table that holds no other collection, with its path."""
    if isinstance(data, list):
        yield path, data
    elif isinstance(data, Mapping):
        inner = False
        for key, value in data.items():
            if isinstance(value, list | Mapping):
                inner = True
                yield from collections(value, (*path, str(key)))
        if not inner:
            yield path, data


def emptied(data: Any, path: Path) -> Any:
    """Return `data` with the collection at `path` emptied."""
    if not path:
        return type(data)()
    return {**data, path[0]: emptied(data[path[0]], path[1:])}


def shortened(envelope: Envelope, said: tuple[str, ...]) -> Envelope:
    """Return an envelope without data whose texts are cut."""
    warnings = (*(text[:MESSAGE_LIMIT] for text in said[:2]), "texts and data were cut")
    return replace(
        envelope,
        data=None,
        error=clipped(envelope.error),
        note=clipped(envelope.note),
        warnings=warnings,
    )


def clipped(fault: Fault | UnsetType) -> Fault | UnsetType:
    """Return a fault with its texts cut."""
    if not isinstance(fault, Fault):
        return fault
    return Fault(fault.code, fault.message[:MESSAGE_LIMIT], fault.hint[:MESSAGE_LIMIT])


def write_line(text: bytes) -> None:
    """Write one line of JSON as the last thing on either stream."""
    sys.stderr.flush()
    sys.stdout.flush()
    sys.stdout.buffer.write(text)
    sys.stdout.buffer.flush()


def write_xcom(text: bytes) -> None:
    """Write one line in one piece, apart from whatever came before it."""
    sys.stderr.flush()
    sys.stdout.flush()
    time.sleep(XCOM_PAUSE)
    os.write(sys.stdout.fileno(), text)


def write_file(path: str, content: bytes) -> None:
    """Write a file, whole or not at all; OSError when that fails."""
    beside = f"{path}.{os.getpid()}.part"
    try:
        with open(beside, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError:
        if os.path.exists(beside):
            os.unlink(beside)
        raise
