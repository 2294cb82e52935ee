"""Whether this run may trade its account, by its state directory, and how much today."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import msgspec

from daemon.brokers.ib.arming import (
    StateBelongsElsewhere,
    approval,
    belonging,
    belongs,
    check_approved,
    check_armed,
    check_not_of_ib,
    in_first_days,
    is_paper,
    refused_champion,
)
from daemon.brokers.ib.configured import described
from daemon.brokers.ib.restarting import cautioned, restart_of
from daemon.calendar import Calendar
from state.event import Start
from state.settings import Feed, InteractiveBrokers, Limits, Settings


class ReplayedLive(Exception):
    """Old prices would trade real money."""


class Permit(msgspec.Struct, frozen=True):
    """What a run may do: `ib` is None where the embedded broker trades.

    `approved` is the hash of strategy, configuration and code, which a live account was armed with.
    """

    risk: Limits
    ib: InteractiveBrokers | None = None
    approved: str = ""

    @property
    def broker(self) -> str:
        """Return whose books a run keeps, as its journal remembers it."""
        return "paper" if self.ib is None else f"ib {self.ib.account}"

    def check_directory(self, state: Path) -> None:
        """Return if a directory is this account's or nobody's; raise StateBelongsElsewhere."""
        if self.ib is None:
            check_not_of_ib(state)
        else:
            belongs(state, self.ib.account)

    def check_journal(self, last: Start | None) -> None:
        """Return if the last run, as a journal has it, was on this account.

        A restored journal is known by it, wherever it was put. Raises StateBelongsElsewhere.
        """
        if last is not None and last.broker not in {"", self.broker}:
            raise StateBelongsElsewhere(
                f"the journal holds the books of {said(last.broker)}, and {said(self.broker)} is "
                "configured; start it with the broker and the account that it was kept for, or "
                "begin in a directory of its own (--state)"
            )

    def limits(self, state: Path, today: date) -> Limits:
        """Return the limits of a run that begins `today`, and let the directory be this account's.

        Raises StateBelongsElsewhere.
        """
        if self.ib is None:
            return self.risk
        since = belonging(state, self.ib.account, today).since
        return in_first_days(self.risk, self.ib, since, today)

    def refused(self, genome: str) -> str:
        """Return why a genome that was promoted may not trade; empty where it may."""
        return "" if self.ib is None else refused_champion(self.ib, self.approved, genome)

    def cautioned(self, calendar: Calendar, today: date) -> str:
        """Return what to think of before a run, "" for nothing."""
        return "" if self.ib is None else cautioned(self.ib, calendar, today)

    @property
    def of_a_live_account(self) -> bool:
        """Return whether real money is traded."""
        return self.ib is not None and not is_paper(self.ib.account)

    @property
    def settle(self) -> float:
        """Return for how many seconds a byte that was written may still be on its way."""
        return 0.0 if self.ib is None else self.ib.settle


def said(broker: str) -> str:
    """Return whose books they are, in words."""
    kind, _, account = broker.partition(" ")
    return f"{account} at Interactive Brokers" if kind == "ib" else "the embedded paper broker"


def of_old(feed: Feed) -> str:
    """Return the setting by which prices are those of a recording; empty where they are of now."""
    if feed.kind == "replay":
        return "feed.kind = 'replay'"
    return "feed.clock = 'feed'" if feed.clock == "feed" else ""


def permit_of(settings: Settings, strategies: Sequence[object]) -> Permit:
    """Return what the configuration permits.

    Raises LiveNotArmed, GatewayImpossible, or ReplayedLive.
    """
    if settings.broker.kind == "paper":
        return Permit(settings.risk)
    ib = described(settings)
    restart_of(ib)
    check_armed(ib.account, ib.live_account)
    if not is_paper(ib.account) and (old := of_old(settings.feed)):
        raise ReplayedLive(f"{old} would trade {ib.account} at old prices")
    approved = approval(settings, *strategies)
    check_approved(ib, approved)
    return Permit(settings.risk, ib, approved)
