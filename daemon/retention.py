"""Old replies lose their data, a portion at a time, so that nobody waits for it."""

from datetime import datetime
from typing import Final

from msgspec.structs import replace

from control.protocol import decode_reply, encode
from daemon.seams import Store
from state.duration import duration

PORTION: Final = 200  # replies a transaction
SHORT: Final = "its data is older than journal.keep_replies, and is not kept"


async def shorten_replies(store: Store, keep: str, wall: datetime) -> int:
    """Shorten the replies older than `keep` ("" keeps all for ever); return how many were."""
    if not keep:
        return 0
    before, done = wall - duration(keep), 0
    while portion := await store.shorten(before, shortened, PORTION):
        done += portion
    return done


def shortened(reply: bytes) -> bytes:
    """Return a stored reply without its data: how it ended, under which key, stays for ever."""
    whole = decode_reply(reply)
    return encode(replace(whole, data=None, warnings=(*whole.warnings, SHORT)))
