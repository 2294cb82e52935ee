"""The way to the MQTT broker: who we are there, and how we come back."""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, Final

import aiomqtt

from daemon.seams import Clock
from state.settings import Mqtt

FIRST: Final = 0.1  # seconds until the first try to come back; each next waits twice as long
LONGEST: Final = 30.0
KEEPALIVE: Final = 30  # seconds of silence after which both sides ask whether the other is there
PATIENCE: Final = 10.0  # seconds that the broker may take to answer

Serve = Callable[[Callable[[], None]], Awaitable[None]]

log = logging.getLogger(__name__)


class LinkImpossible(Exception):
    """The broker can't be reached with what is configured; the message says which setting."""


class MqttLink:
    """Makes clients of the configured broker, all with names of their own."""

    def __init__(self, mqtt: Mqtt, account: str, clock: Clock) -> None:
        self._mqtt, self._clock = mqtt, clock
        self._name = mqtt.client_id or f"trade-manager-{account}"
        self.address = f"{mqtt.host}:{mqtt.port}"

    def check(self) -> None:
        """Raise LinkImpossible where a file that is configured can't be read."""
        self._password()
        self._tls()

    def client(self, part: str, *, resumes: bool, **words: Any) -> aiomqtt.Client:
        """Return a client, not connected yet. One that `resumes` gets what it missed."""
        return aiomqtt.Client(
            self._mqtt.host,
            self._mqtt.port,
            username=self._mqtt.username or None,
            password=self._password(),
            identifier=f"{self._name}-{part}",
            protocol=aiomqtt.ProtocolVersion.V311,
            clean_session=not resumes,
            tls_context=self._tls(),
            keepalive=KEEPALIVE,
            timeout=PATIENCE,
            **words,
        )

    async def keep(self, part: str, serve: Serve) -> None:
        """Run `serve` for ever, again whenever the connection is lost. It tells when there is one.

        Nobody waits for it: while the broker is away everything else goes on.
        """
        wait = FIRST
        while True:
            connected = False

            def arrived() -> None:
                nonlocal connected, wait
                connected, wait = True, FIRST
                log.info("mqtt_connected", extra={"broker": self.address, "part": part})

            try:
                await serve(arrived)
            except (aiomqtt.MqttError, OSError, LinkImpossible) as e:
                level = logging.WARNING if connected or wait == FIRST else logging.DEBUG
                extra = {"broker": self.address, "part": part, "detail": str(e), "again_in": wait}
                log.log(level, "mqtt_disconnected", extra=extra)
            await self._clock.sleep(wait)
            wait = min(2 * wait, LONGEST)

    def _password(self) -> str | None:
        file = self._mqtt.password_file
        if not file:
            return None
        try:
            return Path(file).expanduser().read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as e:
            raise LinkImpossible(f"mqtt.password_file can't be read: {e}") from e

    def _tls(self) -> ssl.SSLContext | None:
        if not self._mqtt.tls:
            return None
        try:
            return ssl.create_default_context(cafile=self._mqtt.tls_ca or None)
        except (OSError, ssl.SSLError) as e:
            raise LinkImpossible(f"mqtt.tls_ca can't be used: {e}") from e


async def lost(client: aiomqtt.Client) -> None:
    """Wait until a connection is lost, and raise MqttError."""
    async for _ in client.messages:
        pass


async def while_connected(client: aiomqtt.Client, work: Coroutine[Any, Any, None]) -> None:
    """Do `work`; raise MqttError as soon as the connection is lost, whatever is awaited then."""
    working, losing = asyncio.create_task(work), asyncio.create_task(lost(client))
    try:
        await asyncio.wait({working, losing}, return_when=asyncio.FIRST_COMPLETED)
        (working if working.done() else losing).result()
    finally:
        working.cancel()
        losing.cancel()
        await asyncio.gather(working, losing, return_exceptions=True)
