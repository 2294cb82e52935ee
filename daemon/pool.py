"""Work that takes too long for the event loop: in a thread of its own, or inline in simulations."""

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from threading import Thread
from threading import enumerate as enumerate_threads
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

TURN: Final = 0.0005  # seconds after which the event loop, if it wants to, gets its turn

Job = tuple[Future[Any], Callable[[], Any]]


class Worker(Thread):
    """The thread of a pool."""


def still_working() -> bool:
    """Return whether the thread of a pool has outlived it, in work that did not end in time."""
    return any(isinstance(thread, Worker) for thread in enumerate_threads())


class ThreadPool:
    """One thread, so that work is done in order, one piece after the other.

    It is a daemon thread: work that never ends doesn't keep the process from ending.
    """

    def __init__(self, name: str) -> None:
        sys.setswitchinterval(TURN)
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._thread = Worker(target=self._serve, name=name, daemon=True)
        self._thread.start()

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns; who is cancelled waits no longer, but the work goes on."""
        future: Future[T] = Future()
        self._jobs.put((future, partial(work, *args, **kwargs)))
        return await asyncio.shield(asyncio.wrap_future(future))

    async def aclose(self, patience: float) -> None:
        """Begin nothing more, and give what is under way `patience` seconds to end."""
        done: Future[None] = Future()
        self._jobs.put((done, bool))
        self._jobs.put(None)
        await asyncio.wait([asyncio.wrap_future(done)], timeout=patience)
        if done.done():
            self._thread.join()

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, work = job
            try:
                found = work()
            except BaseException as error:  # noqa: BLE001 it is raised where the answer is awaited
                future.set_exception(error)
            else:
                future.set_result(found)


class InlinePool:
    """Work done at once, by whoever asks for it: the order is the program's own."""

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns."""
        return work(*args, **kwargs)

    async def aclose(self, patience: float) -> None:
        """Let go of nothing."""
