"""A daemon whose answers are written down beforehand, on a real socket in a thread of its own."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from control.protocol import Exit, Reply
from control.request import Request
from control.version import VERSION
from daemon.principal import Principal
from daemon.server import control_socket, op

Handler = Callable[[Request, Principal], Awaitable[Reply]]


class Running:
    """A daemon that runs: its socket, its loop, and what its loop complained of."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.complaints: list[dict[str, Any]] = []
        self.loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self.stopped = False

    def stop(self) -> None:
        """Let it end, if it runs."""
        self.stopped = True
        if self._failure is None:
            self.loop.call_soon_threadsafe(self._stop.set)

    async def _main(self, handle: Handler, limits: dict[str, Any]) -> None:
        self.loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self.loop.set_exception_handler(lambda _, context: self.complaints.append(context))
        async with control_socket(self.path, handle, **{"version": VERSION, **limits}):
            self._ready.set()
            await self._stop.wait()

    def run(self, handle: Handler, limits: dict[str, Any]) -> None:
        """Serve until stopped."""
        try:
            asyncio.run(self._main(handle, limits))
        except Exception as e:  # noqa: BLE001 - told to whoever started it
            self._failure = e
        finally:
            self._ready.set()

    def started(self) -> None:
        """Return once it listens; raise what kept it from that."""
        assert self._ready.wait(10)
        if self._failure is not None:
            raise self._failure


@contextmanager
def serving(path: Path, handle: Handler, **limits: Any) -> Iterator[Running]:
    """Serve `handle` on `path` while the block runs, and expect a clean end."""
    running = Running(path)
    thread = threading.Thread(target=running.run, args=(handle, limits))
    thread.start()
    try:
        running.started()
        yield running
    finally:
        if not running.stopped:
            running.stop()
        thread.join(30)
    assert not thread.is_alive()
    running.started()
    assert not running.complaints


def saying(**replies: Reply) -> Handler:
    """Return a handler that answers by the request's name, and says it was done where none is."""

    async def handle(request: Request, principal: Principal) -> Reply:
        name = op(request)
        return replies.get(name) or Reply(name, True, "completed", Exit.DONE, data={})

    return handle
