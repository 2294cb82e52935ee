"""A decision in the making: its events so far, and what is known after them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import msgspec

from state.apply import apply
from state.book import Book
from state.command import Cause
from state.denial import Code, Denial
from state.event import CommandRefused, CommandSkipped, Event
from state.moment import Moment
from state.order import OrderId, Rid, order_id
from state.snapshot import Snapshot


class Unavailable(msgspec.Struct, frozen=True):
    """No answer now, and nothing was written: the same key may be asked again."""

    kind: Literal["not_ready", "not_found", "invalid", "conflict"]
    code: str
    message: str
    hint: str = ""


class Unfolding:
    """Collects events, applying each at once so that the next is decided on what it left."""

    def __init__(self, now: Snapshot, moment: Moment, cause: Cause | None) -> None:
        self.before, self.now, self.moment, self.cause = now, now, moment, cause
        self.events: list[Event] = []
        self.book: Book | None = (
            None  # of an earlier moment: gating many orders in a row is quicker
        )
        self._legs = 0
        self._behalf: Rid | None = None

    def note(self, *events: Event) -> None:
        """Let `events` have happened."""
        for event in events:
            self.now = apply(self.now, event)
            self.events.append(event)

    @property
    def rid(self) -> Rid:
        """Return the id of the command being decided; a report has none."""
        if self._behalf is not None:
            return self._behalf
        if self.cause is None:
            raise ValueError("a client's command came without its cause, so it has no order ids")
        return self.cause.rid

    @property
    def actor(self) -> str:
        """Return who asked."""
        return self.cause.principal if self.cause else "daemon"

    def next_order_id(self) -> OrderId:
        """Return the id of this command's next order."""
        self._legs += 1
        return order_id(self.rid, self._legs - 1)

    @contextmanager
    def on_behalf_of(self, rid: Rid) -> Iterator[None]:
        """Let what follows be caused by an earlier command, which has no orders yet."""
        was = self._behalf, self._legs
        self._behalf, self._legs = rid, 0
        try:
            yield
        finally:
            self._behalf, self._legs = was

    def refuse(self, denial: Denial) -> None:
        """End in a durable no."""
        self.note(CommandRefused(self.rid, denial, self.moment.at))

    def deny(
        self,
        code: Code,
        message: str,
        *,
        subject: str = "",
        value: object = "",
        limit: object = "",
        hint: str = "",
    ) -> None:
        """End in a durable no, said in words."""
        self.refuse(Denial(code, subject, str(value), str(limit), message, hint))

    def skip(self, code: str, message: str) -> None:
        """End with nothing to do."""
        self.note(CommandSkipped(self.rid, code, message, self.moment.at))
