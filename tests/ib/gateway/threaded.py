"""A gateway on a thread of its own, for a client that blocks or is another process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from tests.ib.gateway.server import FakeIBGateway


class ThreadedGateway:
    """FakeIBGateway on its own thread.  Attribute calls run on the gateway's loop and
    return their result; plain attributes are read through."""

    def __init__(self, **kw: Any):
        self._kw, self._gw, self._loop = kw, None, None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._main, name="fake-ib", daemon=True)

    def _main(self) -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        self._loop = loop

        async def up() -> None:
            self._gw = await FakeIBGateway(**self._kw).start()
            self._ready.set()

        loop.run_until_complete(up())
        loop.run_forever()

    def __enter__(self) -> ThreadedGateway:
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("fake gateway did not start")
        return self

    def __exit__(self, *_: Any) -> None:
        self.call(self._gw.stop)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def call(self, fn: Callable[..., Any], *args: Any, **kw: Any) -> Any:
        async def go() -> Any:
            r = fn(*args, **kw)
            return await r if asyncio.iscoroutine(r) else r

        return asyncio.run_coroutine_threadsafe(go(), self._loop).result(30)

    def __getattr__(self, name: str) -> Any:
        v = getattr(self._gw, name)
        return (lambda *a, **k: self.call(v, *a, **k)) if callable(v) else v
