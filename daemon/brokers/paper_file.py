"""The paper book's file off the event loop: one user at a time, each to its end."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import datetime
from functools import partial
from pathlib import Path
from sqlite3 import Connection
from typing import Any, Final, Self, TypeVar

from daemon.brokers import paper_book
from daemon.brokers.paper_account import Account, Movement, Step
from daemon.brokers.paper_book import BookFull
from daemon.seams import BrokerUnavailable

log: Final = logging.getLogger(__name__)

T = TypeVar("T")


class PaperFile:
    """Carries the book's transactions to a thread. Once one is in doubt, nothing works any more."""

    def __init__(self, connection: Connection) -> None:
        self.failure = ""
        self._connection = connection
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()

    @classmethod
    async def open(cls, path: Path, initial: Movement, wall: datetime) -> tuple[Self, Account]:
        """Return the file and the account in it; a new one begins with `initial` cash."""
        connection, account = await asyncio.get_running_loop().run_in_executor(
            None, paper_book.opened, path, initial, wall
        )
        return cls(connection), account

    @property
    def busy(self) -> bool:
        """Return whether somebody is at work on it."""
        return self._lock.locked()

    def check(self) -> None:
        """Raise BrokerUnavailable once it has failed or is closed."""
        if self.failure:
            raise BrokerUnavailable(f"paper broker: {self.failure}")

    def start(self, work: Callable[[], Coroutine[Any, Any, T]]) -> asyncio.Task[T]:
        """Run `work` in a task of its own, with the file to itself."""

        async def alone() -> T:
            async with self._lock:
                self.check()
                return await work()

        task = asyncio.get_running_loop().create_task(alone(), name="paper-broker")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def exclusively(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return what `work` does alone with the file; it ends even if the caller is cancelled."""
        return await asyncio.shield(self.start(work))

    async def write(self, decide: Callable[[Connection], Step], wall: datetime) -> Step:
        """Return what `decide` makes of the file, once it is durable; raises BookFull."""
        return await self._in_thread(partial(paper_book.transact, self._connection, decide, wall))

    async def read(self, question: Callable[[Connection], T]) -> T:
        """Return the answer to a question about what is in the file."""
        return await self._in_thread(partial(question, self._connection))

    async def aclose(self) -> None:
        """Close the file; twice is once."""
        async with self._lock:
            self.failure = self.failure or "it is closed"
            self._connection.close()

    def _done(self, task: asyncio.Task[Any]) -> None:
        """Let go of a task; one that failed may have left its work half done, and is final too."""
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error and not self.failure:
            self.failure = f"it failed with {error!r}; restart to read its book again"
            log.error("paper_failed", exc_info=error)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Run `work` off the event loop; whatever goes wrong there but a full disk is final."""
        try:
            return await asyncio.get_running_loop().run_in_executor(None, work)
        except BookFull:
            raise
        except BaseException as e:
            self.failure = f"its book failed ({e or type(e).__name__}); restart to read it again"
            if isinstance(e, Exception):
                raise BrokerUnavailable(f"paper broker: {self.failure}") from e
            raise
