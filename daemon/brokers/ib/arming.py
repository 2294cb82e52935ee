"""Whether an account may be traded at all."""

from typing import Final

PAPER: Final = ("DU", "DF")  # how the names of accounts without money begin


class LiveNotArmed(Exception):
    """A live account is connected, and nobody said that it is to be traded."""

    code: Final = "LIVE_NOT_ARMED"


def check_armed(account: str, live_account: str) -> None:
    """Return if `account` may be traded: a paper account, or the one `live_account` names.

    Raises LiveNotArmed.
    """
    if account.startswith(PAPER) or (account and account == live_account):
        return
    named = f"names {live_account}" if live_account else "is not set"
    raise LiveNotArmed(
        f"{account or 'an account without a name'} is no paper account, and [ib] live_account "
        f"{named}; set it to the account's name to trade it"
    )
