"""How long a question about the past must wait, for the gateway to answer it. No I/O, no clock."""

from collections import deque
from typing import Final

WINDOW: Final = 600.0  # seconds in which at most MOST questions may be asked
MOST: Final = 58  # of the 60 that are allowed: another client of the login may ask, too
AGAIN: Final = 15.5  # seconds before the very same question may be asked again; 15 are asked for
BURST: Final = 2.1  # seconds in which at most EACH may be about one contract; 2 are asked for
EACH: Final = 5  # where the sixth is refused
REFUSED: Final = 60.0  # seconds of silence after the gateway said that it was too much


class Pacer:
    """Remembers what was asked when. `contract` is its id, `what` the rest of the question."""

    def __init__(self) -> None:
        self._asked: deque[tuple[float, int, str]] = deque()
        self._silent_until = float("-inf")

    def wait(self, contract: int, what: str, now: float) -> float:
        """Return the seconds until this may be asked, 0 for at once; `now` is monotonic."""
        while self._asked and self._asked[0][0] <= now - WINDOW:
            self._asked.popleft()
        free = [self._silent_until]
        if len(self._asked) >= MOST:
            free.append(self._asked[-MOST][0] + WINDOW)
        about = [(at, said) for at, con_id, said in self._asked if con_id == contract]
        free += [at + AGAIN for at, said in about if said == what]
        if len(about) >= EACH:
            free.append(about[-EACH][0] + BURST)
        return max(0.0, max(free) - now)

    def asked(self, contract: int, what: str, now: float) -> None:
        """Note that it is asked now."""
        self._asked.append((now, contract, what))

    def refused(self, now: float) -> None:
        """Note that the gateway found it too much: others may ask by the same login."""
        self._silent_until = now + REFUSED
