"""Who failed to say who they are, and how long they have to wait for it."""

from typing import Final

WITHIN: Final = 60.0  # seconds in which failures count together
TRIES: Final = 5  # failures within that, and the address is not let in for
BAN: Final = 60.0  # seconds
FIRST: Final = 0.25  # seconds that the first failure is answered late; each doubles it
MOST: Final = 4096  # addresses remembered, the oldest forgotten first


class Bans:
    """Failures by address. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._failed: dict[str, tuple[float, ...]] = {}
        self._until: dict[str, float] = {}

    def banned(self, host: str, at: float) -> bool:
        """Return whether an address is not let in now."""
        if (until := self._until.get(host)) is None:
            return False
        if until <= at:
            del self._until[host]
            return False
        return True

    def failed(self, host: str, at: float) -> float:
        """Note a failure; return how many seconds to let pass before it is told."""
        recent = (*(t for t in self._failed.pop(host, ()) if at - t < WITHIN), at)
        if len(recent) >= TRIES:
            self._until[host] = at + BAN
        else:
            self._failed[host] = recent
        for memory in (self._failed, self._until):
            while len(memory) > MOST:
                del memory[next(iter(memory))]
        return FIRST * 2.0 ** (len(recent) - 1)
