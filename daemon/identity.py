"""Who asks for what, under which key: what makes two requests the same."""

from hashlib import blake2b

from control.protocol import encode
from daemon.principal import Caller
from state.authority import op_of
from state.command import Cause
from state.order import request_id


def cause_of(ask: object, key: str, who: Caller) -> Cause:
    """Return who asks for `ask` under `key`; the request id is made of the key alone."""
    return Cause(
        *(request_id(key), key, op_of(ask), who.name, digest_of(ask)),
        *(who.uid, who.rule, who.caps),
    )


def digest_of(ask: object) -> str:
    """Return the hash of a command's canonical encoding: same arguments, same digest."""
    return blake2b(encode(ask), digest_size=16).hexdigest()
