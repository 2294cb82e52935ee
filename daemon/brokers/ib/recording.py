"""What went over the wire, message by message, with the names of accounts taken out."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Literal

import msgspec

from daemon.brokers.ib.arming import is_paper
from daemon.brokers.ib.gateway import Gateway

HEADER: Final = 4  # bytes of a message's length
GREETING: Final = b"API\0"  # before the client's first message
MANAGED_ACCOUNTS: Final = "15"  # the message that names all accounts of the login


class Message(msgspec.Struct, frozen=True):
    """One message: of which connection, counted from 1, by whom, and seconds from the first."""

    connection: int
    by: Literal["client", "gateway"]
    seconds: float
    fields: tuple[str, ...]


class Recording:
    """Takes down what is said over the gateways that are listened to. `mono` are seconds."""

    def __init__(self, mono: Callable[[], float]) -> None:
        self._mono, self._began = mono, mono()
        self._connections = 0
        self.messages: list[Message] = []

    def listen(self, gateway: Gateway) -> None:
        """Listen to a gateway that is about to be connected."""
        self._connections += 1
        conn: Any = gateway.ib.client.conn
        heard, said = self._frames("gateway"), self._frames("client")
        received: Callable[[bytes], None] = conn.data_received
        send: Callable[[bytes], None] = conn.sendMsg

        def data_received(data: bytes) -> None:
            heard(data)  # before the client answers it
            received(data)

        def send_msg(data: bytes) -> None:
            said(data.removeprefix(GREETING))
            send(data)

        conn.data_received = data_received
        conn.sendMsg = send_msg

    def _frames(self, by: Literal["client", "gateway"]) -> Callable[[bytes], None]:
        """Return what takes down the messages of one direction, in whatever pieces they come."""
        connection, rest = self._connections, bytearray()

        def take(data: bytes) -> None:
            rest.extend(data)
            while len(rest) >= HEADER:
                end = HEADER + int.from_bytes(rest[:HEADER], "big")
                if len(rest) < end:
                    return
                text = rest[HEADER:end].decode(errors="backslashreplace")
                del rest[:end]
                at = round(self._mono() - self._began, 3)
                fields = tuple(text.removesuffix("\0").split("\0"))
                self.messages.append(Message(connection, by, at, fields))

        return take


def redacted(messages: Sequence[Message], account: str) -> Sequence[Message]:
    """Return the messages with every account of the login under another name, ours as DU0000000."""
    names = {account, *managed(messages)} - {""}
    ordered = sorted(names, key=lambda name: (name != account, name))
    false = {
        name: f"{'DU' if is_paper(name) else 'U'}{number:07}" for number, name in enumerate(ordered)
    }
    longest_first = sorted(false, key=len, reverse=True)  # one name may begin another

    def hidden(field: str) -> str:
        for number, name in enumerate(longest_first):
            field = field.replace(name, f"\x01{number}\x02")
        for number, name in enumerate(longest_first):
            field = field.replace(f"\x01{number}\x02", false[name])
        return field

    return [msgspec.structs.replace(one, fields=tuple(map(hidden, one.fields))) for one in messages]


def managed(messages: Iterable[Message]) -> Iterable[str]:
    """Return the accounts that the gateway named."""
    for one in messages:
        if one.by == "gateway" and one.fields[0] == MANAGED_ACCOUNTS and len(one.fields) > 2:
            yield from one.fields[2].split(",")


def lines(messages: Sequence[Message]) -> bytes:
    """Return the messages as JSON, one a line."""
    return b"".join(msgspec.json.encode(one) + b"\n" for one in messages)


def read(text: bytes) -> Sequence[Message]:
    """Return the messages of `lines`; raises msgspec.DecodeError."""
    return [msgspec.json.decode(line, type=Message) for line in text.splitlines() if line]
