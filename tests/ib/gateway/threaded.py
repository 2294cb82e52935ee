"""A gateway on a thread of its own, for a client that blocks or is another process."""

import asyncio
import threading
from functools import partial

from tests.ib.gateway.server import FakeIBGateway


class ThreadedGateway:
    """FakeIBGateway on a loop of its own: its methods run there, and here one waits for them.

    Plain attributes are read through.
    """

    def __init__(self, **how):
        self._how, self._up = how, threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), name="gateway")

    async def _main(self):
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        async with FakeIBGateway(**self._how) as self.behind:
            self._up.set()
            await self._end.wait()

    def __enter__(self):
        self._thread.start()
        assert self._up.wait(30), "the gateway did not start"
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(30)

    def __getattr__(self, name):
        value = getattr(self.behind, name)
        return partial(self.call, value) if callable(value) else value

    def call(self, work, *args, **words):
        async def called():
            done = work(*args, **words)
            return await done if asyncio.iscoroutine(done) else done

        return asyncio.run_coroutine_threadsafe(called(), self._loop).result(30)
