"""What a request over HTTP is answered with."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Final

import msgspec

# What a browser may do with the page: load its own two files, listen to its own events, no more.
SAFE: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Asked(msgspec.Struct, frozen=True):
    """A GET: the path, whose Host it was sent to, and from which address it comes."""

    path: str
    host: str
    peer: str


class Answer(msgspec.Struct, frozen=True):
    """A whole answer, or, when `stream` is there, one that goes on until either end is gone."""

    status: int = 200
    kind: str = "text/plain; charset=utf-8"
    body: bytes = b""
    stream: AsyncIterator[bytes] | None = None


Respond = Callable[[Asked], Awaitable[Answer]]


def refused(status: int, why: str) -> Answer:
    """Return an answer in words."""
    return Answer(status, body=why.encode() + b"\n")
