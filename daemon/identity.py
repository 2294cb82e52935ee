"""Who asks for what, under which key: what makes two requests the same."""

from hashlib import blake2b

from control.protocol import encode
from daemon.principal import Principal
from state.command import Cause
from state.order import request_id


def cause_of(ask: object, key: str, principal: Principal) -> Cause:
    """Return who asks for `ask` under `key`; the request id is made of the key alone."""
    return Cause(request_id(key), key, op_of(ask), principal.name, digest_of(ask))


def op_of(ask: object) -> str:
    """Return a request's name on the wire."""
    return str(type(ask).__struct_config__.tag)  # type: ignore[attr-defined]


def digest_of(ask: object) -> str:
    """Return the hash of a command's canonical encoding: same arguments, same digest."""
    return blake2b(encode(ask), digest_size=16).hexdigest()
