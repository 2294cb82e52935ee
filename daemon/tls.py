"""The daemon's side of TLS: its certificate, who signs a client's, and nothing before 1.3."""

import logging
import os
import ssl
import stat

from state.given import ConfigurationInvalid, Problem
from state.settings import Control

log = logging.getLogger(__name__)


class Certificates:
    """The context of every TLS connection. `reload` takes over renewed files, or keeps the old."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self.context = context(control)

    def reload(self) -> None:
        """Read the files again; those who are connected stay so."""
        try:
            self.context = context(self._control)
        except ConfigurationInvalid as e:
            problems = list(map(str, e.problems))
            log.error("certificates_refused", extra={"problems": problems})  # noqa: TRY400


def context(control: Control) -> ssl.SSLContext:
    """Return the context that the configuration asks for; raise ConfigurationInvalid."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.num_tickets = 0  # each connection proves itself anew
    key, path = "control.tls_cert", control.tls_cert
    try:
        if os.stat(control.tls_key).st_mode & (stat.S_IROTH | stat.S_IWOTH):
            what = f"{control.tls_key} can be read or written by any user of the machine"
            hint = f"chmod o= {control.tls_key}"
            raise ConfigurationInvalid([Problem(control.tls_key, "control.tls_key", what, hint)])
        made.load_cert_chain(control.tls_cert, control.tls_key, password=no_password)
        if control.tls_ca:
            key, path = "control.tls_ca", control.tls_ca
            made.load_verify_locations(control.tls_ca)
            made.verify_mode = ssl.CERT_OPTIONAL  # who shows none must have a token
    except (OSError, ValueError) as e:
        what = f"{key} = {path!r} can't be used: {getattr(e, 'strerror', None) or e}"
        hint = "see scripts/certificates, which makes all three"
        raise ConfigurationInvalid([Problem(path, key, what, hint)]) from e
    return made


def no_password() -> str:
    """Refuse a key behind a password: nobody is there to be asked for it."""
    raise ValueError("the key is behind a password")


def dns_names(certificate: object) -> tuple[str, ...]:
    """Return the DNS names of a verified peer's certificate; none where it showed none."""
    names = certificate.get("subjectAltName", ()) if isinstance(certificate, dict) else ()
    return tuple(name for kind, name in names if kind == "DNS")
