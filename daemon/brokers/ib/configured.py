"""What is configured of the gateway: [ib], and the Airflow connection that says it otherwise."""

from pathlib import Path
from typing import Final

from msgspec.structs import replace

from state.connection import Connection, ConnectionInvalid, connection
from state.settings import BrokerChoice, InteractiveBrokers, Settings

CONN: Final = "broker.conn"
ASIDE: Final = 1_000  # from the client id of orders to that of questions
LARGEST_ID: Final = 2_147_483_647


class GatewayImpossible(Exception):
    """What is configured leads to no gateway; the message says which setting, and no secret."""


def described(settings: Settings) -> InteractiveBrokers:
    """Return [ib] with what the Airflow connection says in place; raise GatewayImpossible.

    Its login and password are the gateway's own business, and nobody asks for them here.
    """
    told = told_by(settings.broker)
    ib = settings.ib
    if told is not None:
        wrong = [key for key in told.extra if key not in {"client_id", "account"}]
        if wrong:
            raise GatewayImpossible(
                f"{CONN}: its extra has {len(wrong)} keys too many; client_id and account are known"
            )
        client_id, account = told.extra.get("client_id"), told.extra.get("account", ib.account)
        if not isinstance(account, str):
            raise GatewayImpossible(f"{CONN}: the account of its extra is no text")
        ib = replace(
            ib,
            host=told.host or ib.host,
            port=told.port or ib.port,
            client_id=ib.client_id if client_id is None else numbered(client_id),
            account=account,
        )
    if not ib.account:
        raise GatewayImpossible('ib.account is empty; name the account, like "DU1234567"')
    asking = ib.preview_client_id or ib.client_id + ASIDE
    if ib.preview and asking in {ib.client_id, ib.feed_client_id}:
        raise GatewayImpossible(
            f"ib.preview_client_id is {asking}, and so is the client id of orders or of prices; "
            "what a plan asks beforehand wants another one"
        )
    if ib.preview and asking > LARGEST_ID:
        raise GatewayImpossible(
            f"ib.preview_client_id is {ASIDE:,} above ib.client_id, which is above {LARGEST_ID:,}; "
            "say it yourself"
        )
    return replace(ib, preview_client_id=asking)


def told_by(chosen: BrokerChoice) -> Connection | None:
    """Return the connection that is configured, None for none; raise GatewayImpossible."""
    text, where = chosen.conn, CONN
    if chosen.conn_file:
        where = f"broker.conn_file {chosen.conn_file}"
        try:
            text = Path(chosen.conn_file).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as why:
            raise GatewayImpossible(f"{where} can't be read: {type(why).__name__}") from None
    if not text:
        return None
    try:
        return connection(text)
    except ConnectionInvalid as why:
        raise GatewayImpossible(f"{where} is no Airflow connection: {why}") from None


def numbered(client_id: object) -> int:
    """Return a client id of an extra; raise GatewayImpossible."""
    if isinstance(client_id, str) and client_id.isascii() and client_id.isdecimal():
        client_id = int(client_id[:10])
    if (
        isinstance(client_id, bool)
        or not isinstance(client_id, int)
        or not 0 < client_id <= LARGEST_ID
    ):
        raise GatewayImpossible(f"{CONN}: the client_id of its extra is no number above 0")
    return client_id
