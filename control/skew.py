"""What to say where the client and the daemon are of different versions."""

from msgspec.structs import replace

from control.protocol import Fault
from control.version import VERSION


def differing(daemon: str, client: str = VERSION) -> str:
    """Return both versions and which is the older, as one sentence without an end."""
    order = compared(client, daemon)
    older = "" if order == 0 else f", the {'older' if order < 0 else 'newer'} of the two"
    return f"the daemon is version {daemon}, this client {client}{older}"


def upgrade(daemon: str, client: str = VERSION) -> str:
    """Return what to install where; the daemon's side leads, for it holds the journal."""
    if compared(client, daemon) <= 0:
        return f"install version {daemon} of `tm` here, or use the one beside the daemon"
    return f"upgrade the daemon to {client}, or use `tm` {daemon}: the one beside the daemon"


def explained(fault: Fault, daemon: str, client: str = VERSION) -> Fault:
    """Return why a request was not understood, where another version is what it comes of."""
    if daemon == client:
        return fault
    return replace(
        fault,
        message=f"{fault.message}; {differing(daemon, client)}",
        hint=upgrade(daemon, client),
    )


def compared(one: str, other: str) -> int:
    """Return -1 when `one` is the older version, 1 when it is the newer, 0 when nobody can say."""
    left, right = numbers(one), numbers(other)
    return (left > right) - (left < right) if left and right else 0


def numbers(version: str) -> tuple[int, ...]:
    """Return the numbers that a version begins with: (1, 2, 0) of "1.2.0rc1"; () for none."""
    found: list[int] = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        found.append(int(digits))
        if digits != part:
            break
    return tuple(found)
