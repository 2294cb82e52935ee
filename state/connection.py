"""An Airflow connection, as URI or JSON: where a gateway is and how to log in to it."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

LONGEST: Final = 65_536  # characters
TEXTS: Final = ("host", "login", "password", "schema")


class ConnectionInvalid(ValueError):
    """A text is no Airflow connection. The message never holds any of it: it may be a secret."""


class Connection(msgspec.Struct, frozen=True):
    """What an Airflow connection says; "" or None where it says nothing."""

    kind: str
    host: str = ""
    port: int | None = None
    login: str = ""
    password: str = ""
    schema: str = ""
    extra: Mapping[str, Any] = {}

    def __repr__(self) -> str:
        """Return where it leads, and nothing that has to be kept."""
        return f"Connection({self.kind!r}, host={self.host!r}, port={self.port!r})"


def connection(text: str) -> Connection:
    """Return the connection in the text of a variable or file; raise ConnectionInvalid.

    The forms are those of `airflow connections get -o json` (its `get_uri`), and of the JSON that
    AIRFLOW_CONN_* variables hold.
    """
    if len(text) > LONGEST:
        raise ConnectionInvalid(f"it is longer than {LONGEST:,} characters")
    text = text.strip()
    return of_json(text) if text.startswith("{") else of_uri(text)


def of_json(text: str) -> Connection:
    """Return the connection in a JSON object."""
    try:
        given = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        raise ConnectionInvalid("it begins like JSON and is none") from None
    kind = given.get("conn_type")
    if not isinstance(kind, str) or not kind:
        raise ConnectionInvalid("its conn_type is missing")
    texts = {}
    for name in TEXTS:
        value = given.get(name)
        if not isinstance(value, str | None):
            raise ConnectionInvalid(f"its {name} is no text")
        texts[name] = value or ""
    return Connection(kind, port=port_of(given.get("port")), extra=extra_of(given), **texts)


def of_uri(text: str) -> Connection:
    """Return the connection in a URI, its parts percent-encoded."""
    scheme, separator, _ = text.partition("://")
    if not separator or not scheme:
        raise ConnectionInvalid("it is neither TYPE://LOGIN:PASSWORD@HOST:PORT nor a JSON object")
    try:
        parts = urlsplit(text)
        port = parts.port
        asked = dict(parse_qsl(parts.query, keep_blank_values=True, max_num_fields=100))
    except ValueError:
        raise ConnectionInvalid("its host, port or parameters can't be read") from None
    extra: Mapping[str, Any] = asked
    if "__extra__" in asked:
        extra = extra_of({"extra": asked["__extra__"]})
    return Connection(
        parts.scheme.replace("-", "_"),
        unquote(parts.hostname or ""),
        port_of(port),
        unquote(parts.username or ""),
        unquote(parts.password or ""),
        unquote(parts.path[1:]),
        extra,
    )


def port_of(value: object) -> int | None:
    """Return a port, None for none; raise ConnectionInvalid."""
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 5:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 65_536:
        raise ConnectionInvalid("its port is not from 1 to 65535")
    return value


def extra_of(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the extra of a connection: an object, or the text of one."""
    extra = given.get("extra")
    if isinstance(extra, str):
        try:
            extra = msgspec.json.decode(extra) if extra.strip() else None
        except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
            raise ConnectionInvalid("its extra is no JSON object") from None
    if not isinstance(extra, dict | None):
        raise ConnectionInvalid("its extra is no JSON object")
    return extra or {}
