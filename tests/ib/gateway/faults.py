"""One fault of the gateway: at which message, and what goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Msg:
    """An outbound message before it is framed."""

    kind: str
    fields: list[str]
    meta: dict[str, Any]


@dataclass
class Fault:
    """A rule applied to messages.  Made by the ``FakeIBGateway`` fault methods.

    direction: 'out' (gateway to client) or 'in'.
    action, out: drop_before, drop_after, drop_mid, swallow, duplicate, delay, stall,
        hold, call.   action, in: drop_unprocessed, drop_processed, swallow, delay, call.
    """

    kind: str
    action: str
    direction: str = "out"
    times: int = 1
    skip: int = 0
    client_id: int | None = None
    where: Callable[[Any], bool] | None = None
    how: str = "rst"
    seconds: float = 0.0
    copies: int = 1
    until: str = ""
    fn: Callable[..., Any] | None = None
    hits: int = 0
    fired: asyncio.Event = field(default_factory=asyncio.Event)

    def match(self, client_id: int | None, kind: str, what: Any) -> bool:
        if self.times <= 0 or self.kind not in ("*", kind):
            return False
        if self.client_id is not None and self.client_id != client_id:
            return False
        if self.where and not self.where(what):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        self.hits += 1
        self.fired.set()
        return True

    def cancel(self) -> None:
        self.times = 0
