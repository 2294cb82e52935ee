"""The pool that breeding is done in: other processes, or other machines. A seam.

Workers live as long as a run. A worker that is killed, hangs or needs too much memory costs a
retry: the pool is made anew and the work done again, with the same result. The third such failure
ends the run, and never the daemon.
"""

import asyncio
import logging
import multiprocessing
import os
import resource
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.forkserver import ensure_running
from os import pidfd_open
from select import POLLIN, poll
from threading import Thread
from typing import Any, Final, TypeVar

from daemon.judging import History, mapped
from daemon.seams import Pool
from state.settings import Evolution

T = TypeVar("T")

FAILURES: Final = 3
PRELOADED: Final = ["numpy", "daemon.judging"]
ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
DASK: Final = "dask://"

log = logging.getLogger(__name__)


class WorkersFailed(Exception):
    """The workers failed too often; the message says how, the last time."""


class ExecutorUnusable(Exception):
    """`evolution.executor` names what can't be used; the message says what to do."""


class Workers:
    """Does pieces of work in a pool, again when the pool breaks. Made for one run at a time."""

    def __init__(self, settings: Evolution, threads: Pool) -> None:
        self._settings, self._threads = settings, threads
        self._executor: Executor | None = None
        self._client: Any = None
        self.retries = 0

    @property
    def count(self) -> int:
        """Return how many pieces are worth making of some work."""
        if self._settings.executor.startswith(DASK):
            return max(1, len(self._client.nthreads())) if self._client is not None else 1
        return self._settings.workers or max(1, (os.cpu_count() or 2) - 1)

    async def begin(self, history: History) -> History:
        """Make the pool, and return the history in the form that its workers take it."""
        self.retries = 0
        await self._threads.run(self._open)
        if self._client is None or not isinstance(history, str):
            return history
        return mapped(history)  # sent with each piece: what is scattered is lost with a worker

    async def each(self, work: Callable[..., T], pieces: Sequence[tuple[Any, ...]]) -> list[T]:
        """Return `work(*piece)` for each piece, in their order; raise WorkersFailed."""
        while True:
            try:
                return await self._attempt(work, pieces)
            except (BrokenExecutor, MemoryError, ImportError, TimeoutError, OSError) as error:
                why = f"{type(error).__name__}: {error}".rstrip(": ")
                self.retries += 1
                log.warning("workers_failed", extra={"detail": why, "times": self.retries})
                await self._threads.run(self._close)
                if self.retries >= FAILURES:
                    raise WorkersFailed(
                        f"the workers failed {self.retries} times, at last by {why}; see "
                        "evolution.memory and evolution.generation_timeout"
                    ) from error
                await self._threads.run(self._open)

    async def end(self) -> None:
        """Let go of the pool; what its workers are at is lost."""
        await self._threads.run(self._close)

    async def _attempt(self, work: Callable[..., T], pieces: Sequence[tuple[Any, ...]]) -> list[T]:
        def submit() -> "list[Future[T]]":
            if self._executor is None:
                self._open()
            assert self._executor is not None
            return [self._executor.submit(work, *piece) for piece in pieces]

        # starting processes takes time that the event loop has not
        waiting = [asyncio.wrap_future(each) for each in await self._threads.run(submit)]
        try:
            async with asyncio.timeout(self._settings.generation_timeout):
                return list(await asyncio.gather(*waiting))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # a cluster cancels what it lost: that is its failure, and nobody's wish
            raise BrokenExecutor("the pool gave its work up") from None
        finally:
            for each in waiting:
                each.cancel()

    def _open(self) -> None:
        """Make the pool, in a thread."""
        if self._executor is not None:
            return
        if self._settings.executor.startswith(DASK):
            self._client = connected(self._settings.executor.removeprefix(DASK))
            self._executor = self._client.get_executor(retries=FAILURES)
            return
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        with bare_environment():
            ensure_running()
        self._executor = ProcessPoolExecutor(
            self.count,
            mp_context=context,
            initializer=stand_back,
            initargs=(self._settings.nice, self._settings.memory << 20, os.getpid()),
        )

    def _close(self) -> None:
        """Kill the pool, in a thread: a worker that hangs doesn't end by being asked."""
        executor, self._executor = self._executor, None
        if executor is not None:
            if self._client is None:
                for process in multiprocessing.active_children():  # nobody else has any
                    process.kill()
            executor.shutdown(wait=False)
        client, self._client = self._client, None
        if client is not None:
            with suppress(OSError, TimeoutError, RuntimeError, CancelledError):
                client.close(timeout=5)


def connected(address: str) -> Any:
    """Return a client of a Dask scheduler; raise ExecutorUnusable."""
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise ExecutorUnusable(
            f"evolution.executor = 'dask://{address}' needs distributed; install "
            "trade-manager[dask]"
        ) from error
    try:
        client: Any = Client
        return client(f"tcp://{address}", timeout=10, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise ExecutorUnusable(
            f"no Dask scheduler answers at {address}: {error}; see evolution.executor"
        ) from error


@contextmanager
def bare_environment() -> Iterator[None]:
    """Start processes without any setting or secret of ours in their environment."""
    ours = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("TM_")}
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        os.environ.update(ours)
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def stand_back(nice: int, memory: int, daemon: int) -> None:
    """Let others go first, take no more address space than `memory` bytes, outlive no daemon."""
    Thread(target=go_with, args=(daemon,), daemon=True).start()
    os.nice(nice)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def go_with(daemon: int) -> None:
    """End this process when the daemon is gone: one that was killed tells nobody."""
    with suppress(ProcessLookupError):
        alive = poll()
        alive.register(pidfd_open(daemon), POLLIN)
        alive.poll()
    os._exit(1)
