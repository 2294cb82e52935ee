"""Carrying alerts out of the house: bounded, with time-outs, and never in anybody's way."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

import msgspec

from daemon.seams import Clock
from state.alert import Alert
from state.status import DeliveryFacts

ROOM: Final = 100  # alerts that wait for one way out
TRIES: Final = 5
PAUSE: Final = 2.0  # seconds before a second try; each pause is twice the one before
TIMEOUT: Final = 10.0  # seconds that one try may take

Way = Callable[[bytes], Awaitable[None]]

log = logging.getLogger(__name__)


class NotDelivered(Exception):
    """A way out did not take an alert; the message says why."""


class Delivery:
    """One way out. `failed` counts tries that failed, `dropped` what there was no room for."""

    def __init__(self, name: str, way: Way, clock: Clock, room: int = ROOM) -> None:
        self.name, self._way, self._clock = name, way, clock
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(room)
        self.counted: Counter[str] = Counter()

    def put(self, alert: Alert) -> None:
        """Have an alert delivered; the oldest goes where there is no room. Never waits."""
        if self._waiting.full():
            self._waiting.get_nowait()
            self._waiting.task_done()
            self.counted["dropped"] += 1
        self._waiting.put_nowait(msgspec.json.encode(body(alert)))

    async def run(self) -> None:
        """Deliver, in order, until cancelled."""
        while True:
            content = await self._waiting.get()
            try:
                await self._deliver(content)
            finally:
                self._waiting.task_done()

    async def flushed(self) -> None:
        """Return once everything was delivered, or given up."""
        await self._waiting.join()

    def facts(self) -> DeliveryFacts:
        """Return how tries ended since the start."""
        return DeliveryFacts(self.name, **self.counted)

    async def _deliver(self, content: bytes) -> None:
        """Try a few times; what can't be delivered then is in the log, and counted."""
        for again in range(TRIES):
            try:
                await self._way(content)
            except NotDelivered as e:
                self.counted["failed"] += 1
                log.warning("alert_not_delivered", extra={"way": self.name, "detail": str(e)})
                if again + 1 < TRIES:
                    await self._clock.sleep(PAUSE * 2**again)
            else:
                self.counted["delivered"] += 1
                return
        self.counted["given_up"] += 1


async def delivering(*deliveries: Delivery) -> None:
    """Deliver by every way until cancelled."""
    async with asyncio.TaskGroup() as tasks:
        for delivery in deliveries:
            tasks.create_task(delivery.run(), name=f"alerts-{delivery.name}")


def body(alert: Alert) -> dict[str, object]:
    """Return an alert as others read it, with the page that says what to do."""
    told: dict[str, object] = msgspec.to_builtins(alert)
    return {**told, "runbook": f"docs/runbook/{alert.kind.page}"}


def command(words: Sequence[str], timeout: float = TIMEOUT) -> Way:
    """Return a way that runs a command, JSON on its input; exit 0 is delivered. No shell."""

    async def way(content: bytes) -> None:
        pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        try:
            child = await asyncio.create_subprocess_exec(
                *words, stdin=pipe, stdout=null, stderr=null, start_new_session=True
            )
        except OSError as e:
            raise NotDelivered(f"{words[0]} can't be run: {e}") from e
        try:
            async with asyncio.timeout(timeout):
                await child.communicate(content)
        except TimeoutError:
            raise NotDelivered(f"{words[0]} took more than {timeout:g} s") from None
        finally:
            if child.returncode is None:
                with suppress(ProcessLookupError):
                    child.kill()
                await child.wait()
        if child.returncode:
            raise NotDelivered(f"{words[0]} ended with {child.returncode}")

    return way
