"""The account's cash, which the gateway tells up to three minutes after the executions."""

from decimal import Decimal
from typing import Final

from daemon.seams import Clock
from state.command import RecordFill
from state.instrument import ZERO, amount

LATE: Final = 200.0  # seconds that the account's cash may lag an execution: sent every 180
CENT: Final = Decimal("0.01")  # the gateway rounds what it says of cash


class LaggingCash:
    """Remembers which executions the cash that is told may not know of yet."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._moved: dict[str, tuple[float, Decimal]] = {}  # since when which execution, how much

    def note(self, fill: RecordFill) -> None:
        """Remember since when an execution is known, as it is told now."""
        moved = -amount(fill.quantity, fill.price) - fill.fee
        known = self._moved.get(fill.execution_id)
        if known is None or known[1] != moved:
            self._moved[fill.execution_id] = self._clock.mono(), moved

    def between(self, told: Decimal) -> tuple[Decimal, Decimal]:
        """Return the least and the most cash there may be, where the gateway says `told`."""
        late = [moved for at, moved in self._moved.values() if at > self._clock.mono() - LATE]
        least = sum((moved for moved in late if moved < 0), ZERO)
        most = sum((moved for moved in late if moved > 0), ZERO)
        return told + least - CENT, told + most + CENT
