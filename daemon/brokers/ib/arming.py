"""Whether an account may be traded at all, by which state, and how much in its first days."""

import sys
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from control.durably import placed
from state.configuration import fingerprint
from state.settings import InteractiveBrokers, Limits, Settings
from strategies.plugin import Strategy

PAPER: Final = ("DU",)  # how the names of accounts without money begin
BELONGS: Final = "broker.json"  # in the state directory: whose it is
PAPER_BOOK: Final = "paper.db"  # in a state directory of the embedded paper broker
PACKAGES: Final = ("control", "daemon", "state", "strategies")
COMES_IN: Final = (".py", ".so")  # what a strategy's code may be
ROOT: Final = Path(__file__).parents[3]


class LiveNotArmed(Exception):
    """A live account is connected, and nobody said that this is to trade it."""

    code: Final = "LIVE_NOT_ARMED"

    def __init__(self, what: str) -> None:
        super().__init__(f"{self.code}: {what}")


class StateBelongsElsewhere(Exception):
    """The state directory holds the books of another account."""


class Belonging(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose books a state directory holds, and since which day."""

    account: str
    since: date


def is_paper(account: str) -> bool:
    """Return whether an account has no money in it."""
    return account.startswith(PAPER)


def check_armed(account: str, live_account: str) -> None:
    """Return if `account` may be traded: a paper account, or the one `live_account` names.

    Raises LiveNotArmed.
    """
    if is_paper(account) or (account and account == live_account):
        return
    named = f"names {live_account}" if live_account else "is not set"
    raise LiveNotArmed(
        f"{account or 'an account without a name'} is no paper account, and [ib] live_account "
        f"{named}; set it to the account's name to trade it"
    )


def check_approved(ib: InteractiveBrokers, approval: str) -> None:
    """Return if it is a paper account, or somebody approved exactly this; raise LiveNotArmed."""
    if is_paper(ib.account) or ib.approved == approval:
        return
    what = "something else was approved" if ib.approved else "nobody approved it"
    raise LiveNotArmed(
        f"the strategy, configuration and code that would trade {ib.account} hash to {approval}, "
        f'and {what}; look them through, then set [ib] approved = "{approval}"'
    )


def approval(settings: Settings, *strategies: object) -> str:
    """Return 16 digits of all that decides what is traded: settings, strategies, our own code."""
    asked = replace(settings, ib=replace(settings.ib, approved="", approved_champion=""))
    told = blake2b(fingerprint(asked).encode(), digest_size=8)
    for strategy in strategies:
        if isinstance(strategy, Strategy):
            told.update(repr((strategy.window, sorted(strategy.parameters.items()))).encode())
    for file in (*code(), *(file for each in strategies for file in sources(each))):
        told.update(f"\0{Path(file).name}\0".encode())
        told.update(Path(file).read_bytes())
    return told.hexdigest()


def approval_of_champion(approved: str, genome: str) -> str:
    """Return 16 digits of a promoted genome on top of all that `approved` is the hash of."""
    return blake2b(f"{approved}\0{genome}".encode(), digest_size=8).hexdigest()


def refused_champion(ib: InteractiveBrokers, approved: str, genome: str) -> str:
    """Return why a genome that was promoted may not trade the account; empty where it may."""
    hash_ = approval_of_champion(approved, genome)
    if is_paper(ib.account) or ib.approved_champion == hash_:
        return ""
    what = "another was approved" if ib.approved_champion else "nobody approved it"
    return (
        f"{LiveNotArmed.code}: a genome was promoted, and {what} to trade {ib.account}; look at "
        f'`tm strategy show`, then set [ib] approved_champion = "{hash_}" and restart, or take it '
        "back with `tm strategy rollback`"
    )


def sources(strategy: object) -> Iterable[str]:
    """Return the files of a strategy in order: its module, or all of the package that is in.

    Raises LiveNotArmed where there is none: what can't be read can't be approved.
    """
    asked: object = strategy.weigh if isinstance(strategy, Strategy) else type(strategy)
    while isinstance(asked, partial):
        asked = asked.func
    name: str = asked.__module__
    package = sys.modules.get(name.partition(".")[0])
    inside = list(getattr(package, "__path__", ()))
    if inside:
        found = [file for each in inside for file in sorted(Path(each).rglob("*"))]
        return [str(file) for file in found if file.suffix in COMES_IN]
    file = getattr(package, "__file__", None)
    if file is None:
        raise LiveNotArmed(f"the strategy's module {name} has no file that could be approved")
    return [file]


def code() -> Iterable[str]:
    """Return the files of our own code, in order."""
    return [str(file) for name in PACKAGES for file in sorted((ROOT / name).rglob("*.py"))]


def check_not_of_ib(state: Path) -> None:
    """Raise StateBelongsElsewhere when a directory for the embedded broker is of an account."""
    if (state / BELONGS).exists():
        raise StateBelongsElsewhere(
            f"{state}: holds the books of an account at Interactive Brokers; trade on paper in a "
            "directory of its own (--state)"
        )


def belongs(state: Path, account: str) -> Belonging | None:
    """Return since when a state directory is that of `account`, None where it is nobody's yet.

    Raises StateBelongsElsewhere.
    """
    file = state / BELONGS
    if file.exists():
        found = msgspec.json.decode(file.read_bytes(), type=Belonging)
        if found.account != account:
            raise StateBelongsElsewhere(
                f"{state}: holds the books of {found.account}, and [ib] account is {account}; "
                "keep each account in a directory of its own (--state)"
            )
        return found
    if (state / PAPER_BOOK).exists():
        raise StateBelongsElsewhere(
            f"{state}: holds the books of the embedded paper broker; give {account} a directory "
            "of its own (--state)"
        )
    return None


def belonging(state: Path, account: str, today: date) -> Belonging:
    """Return since when a state directory is that of `account`, from today on if it is new.

    Raises StateBelongsElsewhere.
    """
    if (found := belongs(state, account)) is not None:
        return found
    made = Belonging(account, today)
    file = state / BELONGS
    draft = file.with_suffix(".new")
    draft.write_bytes(msgspec.json.encode(made))
    placed(draft, file)
    return made


def in_first_days(limits: Limits, ib: InteractiveBrokers, since: date, today: date) -> Limits:
    """Return the limits of a day; those of a live account's first are no higher than `ib` says."""
    if is_paper(ib.account) or (today - since).days >= ib.first_days:
        return limits
    most: Decimal = min(limits.max_order_notional, ib.first_days_order)
    turnover = min(limits.max_day_turnover, ib.first_days_turnover)
    return replace(limits, max_order_notional=most, max_day_turnover=turnover)
