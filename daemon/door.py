"""The way in over TCP: TLS, then a certificate of ours or a token, and patience with neither."""

import ssl
from typing import Final

from control.protocol import Fault
from daemon.authority import Authority
from daemon.bans import Bans
from daemon.principal import Remote
from daemon.seams import Clock
from daemon.tls import Certificates, dns_names
from daemon.trail import Trail
from state.authority import Role
from state.command import RecordDenial

STRANGER: Final = Fault(
    "NOT_AUTHORISED",
    "neither a certificate nor a token that the roles file knows",
    "see --token-file in `tm --help`, and docs/security.md",
)


class Door:
    """Lets in over TCP whom the roles file knows."""

    def __init__(
        self, address: str, tls: Certificates, authority: Authority, trail: Trail, clock: Clock
    ) -> None:
        host, _, port = address.rpartition(":")
        self.host, self.port = host.strip("[]"), int(port)
        self._tls, self._authority, self._trail, self._clock = tls, authority, trail, clock
        self._bans = Bans()

    @property
    def context(self) -> ssl.SSLContext:
        """Return what the next connection speaks TLS by."""
        return self._tls.context

    def closed_to(self, host: str) -> bool:
        """Return whether an address failed too often lately."""
        return self._bans.banned(host, self._clock.mono())

    async def admit(self, host: str, certificate: object, token: str) -> Remote | None:
        """Return who came from `host`, by certificate or token; None, after a while, for nobody."""
        names = dns_names(certificate)
        if token and (holder := self._authority.holder(token)):
            return Remote(host, names, holder)
        who = Remote(host, names)
        if names and not token and self._authority.grant(who).role is not Role.NONE:
            return who
        rule = "token: not one of ours" if token else "certificate: none, or not in the roles file"
        await self._trail.denied(RecordDenial(who.name, None, "hello", "", rule))
        await self._clock.sleep(self._bans.failed(host, self._clock.mono()))
        return None
