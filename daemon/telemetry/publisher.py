"""State out by MQTT: status, events, alerts, the chain's head. Nobody here ever subscribes."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import aiomqtt
import msgspec

from daemon.engine import Engine
from daemon.message import Act
from daemon.mqtt_link import MqttLink, while_connected
from daemon.replies import builtin
from daemon.seams import Clock
from daemon.telemetry.delivery import body
from daemon.telemetry.outbox import Item, Kind, Outbox
from daemon.watch import Watch
from state.alert import Alert
from state.canonical import kind_of
from state.duration import seconds
from state.event import Event
from state.record import Head
from state.settings import Settings
from state.snapshot import Snapshot
from state.status import status

OFFLINE: Final = b"offline"
HOUR: Final = 3600.0
FAREWELL: Final = 2.0  # seconds that saying goodbye may take
QOS: Final = 1


class Publisher:
    """Tells the MQTT broker how the account is. Trading never waits for it."""

    def __init__(
        self,
        link: MqttLink,
        clock: Clock,
        status: Callable[[], Mapping[str, Any]],
        head: Callable[[], Head],
        *,
        topic: str,
        every: float,
    ) -> None:
        self._link, self._clock, self._topic, self._every = link, clock, topic, every
        self._status, self._head = status, head
        self.outbox = Outbox()
        self._news = asyncio.Event()

    def after(self, act: Act) -> Act:
        """Return `act`, and then the telling of what was committed."""

        def both(events: Sequence[Event], now: Snapshot) -> None:
            act(events, now)
            self.committed(events, now)

        return both

    def committed(self, events: Sequence[Event], now: Snapshot) -> None:
        """Tell events as soon as they are durable."""
        first = now.seq - len(events) + 1
        for seq, event in enumerate(events, first):
            self._put("event", f"event/{kind_of(event)}", partial(encoded, event, seq))

    async def run(self) -> None:
        """Publish until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tell_status(), name="mqtt-status")
            tasks.create_task(self._tell_head(), name="mqtt-chain")
            tasks.create_task(self._link.keep("out", self._publish), name="mqtt-out")

    async def _tell_status(self) -> None:
        while True:
            self._put("status", "status", partial(msgspec.json.encode, self._state()), retain=True)
            await self._clock.sleep(self._every)

    async def _tell_head(self) -> None:
        """Tell the chain's head each hour: a journal cut short or rewritten since then shows."""
        while True:
            noted = self._head().noted() | {"wall": self._clock.wall()}
            self._put("chain", "chain", partial(msgspec.json.encode, noted), retain=True)
            await self._clock.sleep(HOUR)

    def _state(self) -> Mapping[str, Any]:
        waiting = {"dropped": dict(self.outbox.dropped), "waiting": len(self.outbox)}
        return {**self._status(), "telemetry": waiting}

    def alert(self, alert: Alert) -> None:
        """Tell an alert."""
        self._put("alert", "alert", partial(msgspec.json.encode, body(alert)))

    def _put(
        self, kind: Kind, name: str, payload: Callable[[], bytes], *, retain: bool = False
    ) -> None:
        self.outbox.put(Item(kind, f"{self._topic}/{name}", payload, retain))
        self._news.set()

    async def _publish(self, arrived: Callable[[], None]) -> None:
        """Send what waits while there is a connection; say goodbye when it is ours to end."""
        will = aiomqtt.Will(f"{self._topic}/status", OFFLINE, QOS, retain=True)
        async with self._link.client("out", resumes=False, will=will) as client:
            arrived()
            try:
                await while_connected(client, self._send(client))
            except asyncio.CancelledError:
                await client.publish(will.topic, OFFLINE, QOS, retain=True, timeout=FAREWELL)
                raise

    async def _send(self, client: aiomqtt.Client) -> None:
        """Send what waits, in its order, until cancelled."""
        self._news.set()
        while True:
            await self._news.wait()
            self._news.clear()
            while (item := self.outbox.first()) is not None:
                await client.publish(item.topic, item.payload(), QOS, item.retain)
                self.outbox.sent(item)


class Silence:
    """Nobody who publishes."""

    def after(self, act: Act) -> Act:
        """Return `act`."""
        return act

    def alert(self, alert: Alert) -> None:
        """Say nothing."""

    async def run(self) -> None:
        """Say nothing."""


def publisher_of(
    settings: Settings, engine: Engine, watch: Watch, clock: Clock
) -> Publisher | Silence:
    """Return who publishes, or nobody."""
    choice = settings.mqtt.publish
    if choice == "off" or (choice == "auto" and settings.feed.kind != "mqtt"):
        return Silence()

    def state() -> Mapping[str, Any]:
        told: Mapping[str, Any] = builtin(status(engine.snapshot, watch.status_facts()))
        return told

    return Publisher(
        MqttLink(settings.mqtt, settings.account.id, clock),
        clock,
        state,
        lambda: engine.head,
        topic=f"{settings.mqtt.prefix}/{settings.account.id}",
        every=seconds(settings.mqtt.status_every),
    )


def encoded(event: Event, seq: int) -> bytes:
    """Return an event as `tm events --json` has it."""
    return msgspec.json.encode({"seq": seq, **builtin(event)})
