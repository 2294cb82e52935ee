"""Where the daemon listens, and where it keeps things: one rule for both programs."""

import re
from collections.abc import Callable, Mapping
from typing import Final

Exists = Callable[[str], bool]
Env = Mapping[str, str]

PROGRAM: Final = "trade-manager"
SOCKET: Final = "control.sock"
TCP: Final = re.compile(r"tcp://(\[[0-9A-Fa-f:.]+\]|[^\s:/@]+):[0-9]{1,5}")
SYSTEM_CONFIG: Final = f"/etc/{PROGRAM}/config.toml"
SYSTEM_RUN: Final = f"/run/{PROGRAM}"
SYSTEM_STATE: Final = f"/var/lib/{PROGRAM}"


class AddressInvalid(ValueError):
    """An address of the control socket is none."""

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"control address {address!r}: {why}")
        self.address, self.why = address, why


def configuration_file(given: str | None, env: Env, exists: Exists) -> str | None:
    """Return the configuration file: --config, TM_CONFIG, the system's, the user's; None for none.

    A file that is named is returned whether it exists or not: that it doesn't is an error.
    """
    if named := given or env.get("TM_CONFIG"):
        return named
    own = f"{env.get('XDG_CONFIG_HOME') or f'{home(env)}/.config'}/{PROGRAM}/config.toml"
    return next(filter(exists, (SYSTEM_CONFIG, own)), None)


def state_directory(given: str | None, env: Env, exists: Exists) -> str:
    """Return the state directory: --state, TM_STATE, the system's where it is, the user's."""
    if named := given or env.get("TM_STATE"):
        return named
    return SYSTEM_STATE if exists(SYSTEM_STATE) else user_state(env)


def socket_path(given: str | None, configured: str, env: Env, exists: Exists) -> str:
    """Return the path of the control socket.

    That is --socket, TM_SOCKET, `control.socket` of the configuration, the system's folder where
    there is one, the session's, the user's state directory. Raises AddressInvalid.
    """
    if named := given or env.get("TM_SOCKET") or configured:
        return unix_path(named)
    if exists(SYSTEM_RUN):
        return f"{SYSTEM_RUN}/{SOCKET}"
    if session := env.get("XDG_RUNTIME_DIR"):
        return f"{session}/{PROGRAM}/{SOCKET}"
    return f"{user_state(env)}/{SOCKET}"


def client_address(given: str | None, configured: str, env: Env, exists: Exists) -> str:
    """Return where to ask: "tcp://HOST:PORT" where that is named, else the path of the socket."""
    named = given or env.get("TM_SOCKET") or configured
    if named and named.startswith("tcp://"):
        if not TCP.fullmatch(named):
            raise AddressInvalid(named, "it must be tcp://HOST:PORT")
        return named
    return socket_path(given, configured, env, exists)


def unix_path(address: str) -> str:
    """Return the path in "unix:///PATH" or "PATH"; raise AddressInvalid."""
    scheme, separator, rest = address.partition("://")
    path = rest if separator else address
    if separator and scheme == "tcp":
        raise AddressInvalid(address, "the daemon's TCP address is control.tcp; use unix:///PATH")
    if (separator and scheme != "unix") or not path.startswith("/"):
        raise AddressInvalid(address, "it must be unix:///PATH, or an absolute path")
    return path


def user_state(env: Env) -> str:
    """Return the user's own state directory."""
    return f"{env.get('XDG_STATE_HOME') or f'{home(env)}/.local/state'}/{PROGRAM}"


def home(env: Env) -> str:
    """Return the home directory; "/" for who has none."""
    return env.get("HOME", "").rstrip("/")
