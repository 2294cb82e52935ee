"""What waits to be published. Bounded: the oldest status goes first, an alert last."""

from collections import Counter, deque
from collections.abc import Callable, Mapping
from itertools import count
from typing import Final, Literal

import msgspec

ROOM: Final = 10_000  # messages

Kind = Literal["status", "chain", "event", "alert"]
DISPENSABLE: Final[tuple[Kind, ...]] = ("status", "chain", "event", "alert")  # the first goes first


class Item(msgspec.Struct, frozen=True):
    """A message to publish; its payload is made when it is sent."""

    kind: Kind
    topic: str
    payload: Callable[[], bytes]
    retain: bool = False


class Outbox:
    """Messages in the order they came; `dropped` counts what there was no room for."""

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._number = count()
        self._waiting: Mapping[Kind, deque[tuple[int, Item]]] = {
            kind: deque() for kind in DISPENSABLE
        }
        self.dropped: Counter[Kind] = Counter()

    def __len__(self) -> int:
        """Return how many messages wait."""
        return sum(map(len, self._waiting.values()))

    def put(self, item: Item) -> None:
        """Add a message; when there is no room the oldest of the most dispensable kind goes."""
        if len(self) >= self._room:
            kind = next(kind for kind in DISPENSABLE if self._waiting[kind] or kind == item.kind)
            self.dropped[kind] += 1
            if not self._waiting[kind]:  # it is itself the one to go
                return
            self._waiting[kind].popleft()
        self._waiting[item.kind].append((next(self._number), item))

    def first(self) -> Item | None:
        """Return the oldest message, without taking it out."""
        kind = self._oldest()
        return self._waiting[kind][0][1] if kind else None

    def sent(self, item: Item) -> None:
        """Take a message out, if it was not dropped meanwhile."""
        waiting = self._waiting[item.kind]
        if waiting and waiting[0][1] is item:
            waiting.popleft()

    def _oldest(self) -> Kind | None:
        some = [kind for kind in DISPENSABLE if self._waiting[kind]]
        return min(some, key=lambda kind: self._waiting[kind][0][0], default=None)
