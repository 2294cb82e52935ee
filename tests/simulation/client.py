"""Clients of the control socket: they ask again under the same key until they are told."""

import asyncio

from control.protocol import (
    PROTOCOL,
    Asked,
    Exit,
    Hello,
    decode_reply,
    decode_welcome,
    encode,
    frame,
)

HELLO = frame(encode(Hello(PROTOCOL, "sim")))
LATER = {Exit.NOT_READY, Exit.PENDING}


class TurnedAway(Exception):
    """The daemon is too busy to talk, or stopping."""


async def read(reader):
    """Return the next frame's body."""
    size = int.from_bytes(await reader.readexactly(4), "big")
    return await reader.readexactly(size)


class Client:
    """One program at the socket."""

    def __init__(self, world):
        self.world, self.chance = world, world.chance

    async def ask(self, ask, key=None, *, tries=60):
        """Return the daemon's last word on a command, None when it never had one."""
        body = frame(encode(Asked(ask, key=key, wait=self.chance.pick([5.0, 0.7, 0.0, 0.0]))))
        asked_at = None
        for attempt in range(tries):
            asked_at, calm = self.world.loop.now, not self.chance.faults
            try:
                reply = await asyncio.wait_for(self._once(body), self.chance.pick([0.02, 0.3, 8.0]))
            except (OSError, EOFError, TimeoutError, TurnedAway):
                reply = None
            if reply is not None:
                self.world.answered(ask, key, reply, asked_at)
                code = None if reply.error is None else reply.error.code
                if (
                    reply.exit not in LATER
                    or code == "APPROVAL_MISSING"
                    or (calm and code == "PENDING")
                ):
                    return reply  # what has no next bar is pending for ever
            elif self.chance.fault(0.02):
                return None  # gone for good
            await asyncio.sleep(self.chance.between(0.1, 0.8) * (1 + attempt / 2))
        return None

    async def _once(self, body):
        """Return the reply to one try, if the line carries it."""
        reader, writer = await self.world.network.connect()
        try:
            writer.write(HELLO)
            if decode_welcome(await read(reader)).error is not None:
                raise TurnedAway
            writer.write(body)
            return decode_reply(await read(reader))
        finally:
            writer.close()
