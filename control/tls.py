"""The client's side of TLS: whom it trusts, and how it says who it is."""

import socket
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from control.protocol import Exit, Fault

PEM: Final = "-----BEGIN "


class CredentialsInvalid(Exception):
    """A token, certificate or authority can't be used: what the client ends with and says."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.exit, self.fault = Exit.INVALID, Fault("INVALID_CREDENTIALS", what, hint)


class Untrusted(Exception):
    """The daemon's certificate does not prove that it is the one that was asked for."""


class Credentials(msgspec.Struct, frozen=True):
    """How to say who one is over TCP. `ca` is a file, or the PEM text itself; "" the system's."""

    token: str = ""
    ca: str = ""
    cert: str = ""
    key: str = ""

    def __repr__(self) -> str:
        """Return everything but the token."""
        return f"Credentials(token={'***' if self.token else ''!r}, ca={self.ca!r})"


NONE: Final = Credentials()


def credentials(
    token_file: str | None,
    ca: str | None,
    cert: str | None,
    key: str | None,
    env: Mapping[str, str],
) -> Credentials:
    """Return what was given on the command line, or beside it in TM_TOKEN; CredentialsInvalid."""
    token = env.get("TM_TOKEN", "")
    if token_file:
        try:
            with open(token_file, encoding="utf-8") as file:
                token = file.read(4096).strip()
        except (OSError, UnicodeDecodeError) as e:
            why = getattr(e, "strerror", None) or "no text"
            raise CredentialsInvalid(
                f"the token file {token_file} can't be read: {why}", "see --token-file"
            ) from None
        if not token:
            raise CredentialsInvalid(f"the token file {token_file} is empty", "see --token-file")
    return Credentials(token, ca or "", cert or "", key or "")


def endpoint(address: str) -> tuple[str, int]:
    """Return host and port of "tcp://HOST:PORT"."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    return host.strip("[]"), int(port)


def connected(address: str, given: Credentials, timeout: float) -> socket.socket:
    """Connect to "tcp://HOST:PORT" and agree on keys, TLS 1.3 or not at all.

    Raises CredentialsInvalid, Untrusted, or OSError.
    """
    import ssl

    host, port = endpoint(address)
    try:
        made = context(ssl, given)
    except (OSError, ValueError) as e:
        what = f"certificates can't be used: {getattr(e, 'strerror', None) or e}"
        hint = "see --tls-ca, --tls-cert and --tls-key"
        raise CredentialsInvalid(what, hint) from None
    plain = socket.create_connection((host, port), timeout=timeout)
    try:
        secured: socket.socket = made.wrap_socket(plain, server_hostname=host)
    except ssl.SSLCertVerificationError as e:
        plain.close()
        raise Untrusted(f"{address} is not who it should be: {e.verify_message}") from None
    except BaseException:
        plain.close()
        raise
    return secured


def context(ssl: Any, given: Credentials) -> Any:
    """Return a context that checks the daemon's certificate and shows ours, if there is one."""
    made = ssl.create_default_context(
        cafile=None if not given.ca or PEM in given.ca else given.ca,
        cadata=given.ca if PEM in given.ca else None,
    )
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    if given.cert:
        made.load_cert_chain(given.cert, given.key or None, password=lambda: "")
    return made
