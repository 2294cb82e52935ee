"""Replies as the bodies of frames: what failed, and what would not fit."""

from msgspec.structs import replace

from control.protocol import FRAME_LIMIT, Exit, Fault, Reply, encode
from control.request import Request


def failure(command: str, exit_: Exit, fault: Fault, key: str | None = None) -> Reply:
    """Return a reply that carries no result."""
    return Reply(command, False, exit_.name.lower(), exit_, error=fault, key=key)


def fitting(reply: Reply, request: Request) -> bytes:
    """Return a reply as a frame's body; what is too large for one is left out and said to be."""
    body = encode(reply)
    if len(body) <= FRAME_LIMIT:
        return body
    size = f"{len(body):,} bytes exceed a frame's {FRAME_LIMIT:,}"
    if request.key is None:
        fault = Fault("REPLY_TOO_LARGE", size, "ask for less, with --since or --limit")
        return encode(failure(reply.command, Exit.INVALID, fault))
    return encode(replace(reply, data=None, warnings=(*reply.warnings, f"no data: {size}")))
