"""How many requests a principal may make a second: one bucket each."""

from typing import Final

BURST: Final = 2.0  # seconds' worth that may come at once
MOST: Final = 4096  # buckets; full ones are forgotten, since a new one is full too


class Rates:
    """Buckets of `per_second` requests, by the name of who asks. Times are monotonic seconds."""

    def __init__(self, per_second: float) -> None:
        self._rate, self._size = per_second, per_second * BURST
        self._buckets: dict[str, tuple[float, float]] = {}  # what is left, and when it was

    def take(self, name: str, at: float) -> bool:
        """Return whether one more request is within the rate; it counts if it is."""
        left = self._left(name, at)
        if left < 1:
            return False
        if len(self._buckets) >= MOST:
            names = [one for one in self._buckets if self._left(one, at) < self._size]
            self._buckets = {one: self._buckets[one] for one in names}
        self._buckets[name] = (left - 1, at)
        return True

    def _left(self, name: str, at: float) -> float:
        left, since = self._buckets.get(name, (self._size, at))
        return min(self._size, left + (at - since) * self._rate)
