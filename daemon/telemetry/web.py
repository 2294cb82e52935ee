"""Asking a web server something, from a thread: no redirect is followed, no reply is read."""

import asyncio
from email.message import Message
from http.client import HTTPException
from typing import IO, Any, Final, Protocol
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from daemon.seams import Pool
from daemon.telemetry.delivery import TIMEOUT, NotDelivered


class Fetch(Protocol):
    """Sends a request. Raises NotDelivered."""

    async def __call__(self, content: bytes | None) -> None:
        """POST `content` as JSON, or GET when there is none."""


class Stay(HTTPRedirectHandler):
    """A redirect is no answer: what is told is for that address alone."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        """Follow nothing."""


OPENER: Final = build_opener(Stay)


def web(address: str, pool: Pool, timeout: float = TIMEOUT) -> Fetch:
    """Return how to ask `address`; a reply of 2xx within `timeout` seconds is what counts.

    One request at a time: a server that dribbles keeps the thread, and no more than that.
    """
    under_way: asyncio.Future[Any] | None = None

    def sent(content: bytes | None) -> None:
        method = "GET" if content is None else "POST"
        headers = {} if content is None else {"Content-Type": "application/json"}
        try:
            asked = Request(address, content, headers, method=method)  # noqa: S310 see bounds.web
            with OPENER.open(asked, timeout=timeout):
                pass
        except HTTPError as e:
            e.close()
            raise NotDelivered(f"it answered {e.code}") from None
        except (OSError, HTTPException, ValueError) as e:  # none of it may tell the address
            raise NotDelivered(f"no answer: {type(e).__name__}") from None

    async def fetch(content: bytes | None) -> None:
        nonlocal under_way
        if under_way is not None and not under_way.done():
            raise NotDelivered("the request before still hangs")
        under_way = asyncio.ensure_future(pool.run(sent, content))
        under_way.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.wait([under_way], timeout=timeout)
        if not under_way.done():
            raise NotDelivered(f"no answer within {timeout:g} s")
        under_way.result()

    return fetch
