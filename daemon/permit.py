"""Whether this run may trade its account, by its state directory, and how much today."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import msgspec

from daemon.brokers.ib.arming import (
    approval,
    belonging,
    check_approved,
    check_armed,
    check_not_of_ib,
    in_first_days,
    is_paper,
    refused_champion,
)
from daemon.brokers.ib.configured import described
from state.settings import InteractiveBrokers, Limits, Settings


class ReplayedLive(Exception):
    """Old prices would trade real money."""


class Permit(msgspec.Struct, frozen=True):
    """What a run may do: `ib` is None where the embedded broker trades.

    `approved` is the hash of strategy, configuration and code, which a live account was armed with.
    """

    risk: Limits
    ib: InteractiveBrokers | None = None
    approved: str = ""

    def limits(self, state: Path, today: date) -> Limits:
        """Return the limits of a run that begins `today`; raise StateBelongsElsewhere."""
        if self.ib is None:
            check_not_of_ib(state)
            return self.risk
        since = belonging(state, self.ib.account, today).since
        return in_first_days(self.risk, self.ib, since, today)

    def refused(self, genome: str) -> str:
        """Return why a genome that was promoted may not trade; empty where it may."""
        return "" if self.ib is None else refused_champion(self.ib, self.approved, genome)

    @property
    def of_a_live_account(self) -> bool:
        """Return whether real money is traded."""
        return self.ib is not None and not is_paper(self.ib.account)

    @property
    def settle(self) -> float:
        """Return for how many seconds a byte that was written may still be on its way."""
        return 0.0 if self.ib is None else self.ib.settle


def permit_of(settings: Settings, strategies: Sequence[object]) -> Permit:
    """Return what the configuration permits.

    Raises LiveNotArmed, GatewayImpossible, or ReplayedLive.
    """
    if settings.broker.kind == "paper":
        return Permit(settings.risk)
    ib = described(settings)
    check_armed(ib.account, ib.live_account)
    if settings.feed.kind == "replay" and not is_paper(ib.account):
        raise ReplayedLive(f"feed.kind = 'replay' would trade {ib.account} at old prices")
    approved = approval(settings, *strategies)
    check_approved(ib, approved)
    return Permit(settings.risk, ib, approved)
