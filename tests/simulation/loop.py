"""An asyncio loop on virtual time: no threads, no network; a process is a mark on what it runs.

A process that was killed runs nothing any more: neither what is ready, nor a `finally`.
"""

import asyncio
import heapq
import zlib
from collections import deque
from contextvars import ContextVar, copy_context
from itertools import count

STEPS = 400_000  # of one seed
AT_ONCE = 40_000  # steps in which time may stand still

CURRENT = ContextVar("CURRENT", default=None)


class Stuck(Exception):
    """Nothing is ready and nothing is due, or time stands still: a deadlock or a livelock."""


class Killed(BaseException):
    """What a seam raises in a process that is no more."""


class Process:
    """One incarnation of something that can be killed at any step it takes."""

    def __init__(self, loop, name, number, *, steps=None):
        self.name, self.number, self.dead = name, number, False
        self.steps, self.last_step = 0, steps
        self.died = loop.create_future()
        self.at_death = []
        self.context = copy_context()
        self.context.run(CURRENT.set, self)

    def kill(self):
        """End it here and now."""
        if self.dead:
            return
        self.dead = True
        self.died.set_result(None)
        for happens in self.at_death:
            happens()

    def alive(self):
        """Raise Killed when it was killed: what is left of it does nothing any more."""
        if self.dead:
            raise Killed


class Due:
    """Something to be called, unless it is cancelled before."""

    __slots__ = ("_args", "_callback", "_cancelled", "_context")

    def __init__(self, callback, args, context):
        self._callback, self._args, self._context = callback, args, context
        self._cancelled = False

    def cancel(self):
        self._cancelled = True

    def cancelled(self):
        return self._cancelled


class SimTask(asyncio.Task):
    """A task whose hash is its number: sets of tasks have the same order in every run."""

    def __hash__(self):
        return self._number


class SimFuture(asyncio.Future):
    """A future whose hash is its number."""

    def __hash__(self):
        return self._number


class SimLoop(asyncio.BaseEventLoop):
    """Jumps to the next timer; `trace` is a checksum of every step's time and process."""

    def __init__(self, chance):
        super().__init__()
        self.chance = chance
        self.now = 0.0
        self.trace = 0
        self.steps = 0
        self.failures = []
        self.outside = copy_context()  # of no process
        self._still = 0
        self._timers, self._tasks = [], []
        self._numbers = count()
        self._ready = deque()
        self.set_task_factory(self._task)

    def time(self):
        return self.now

    def create_future(self):
        future = SimFuture(loop=self)
        future._number = next(self._numbers)
        return future

    def _task(self, loop, coroutine, context=None, **names):
        task = SimTask.__new__(SimTask)
        task._number = next(self._numbers)
        task.__init__(coroutine, loop=loop, context=context, **names)
        self._tasks.append(task)  # kept, so that none is finalised while the seed runs
        return task

    def call_soon(self, callback, *args, context=None):
        handle = Due(callback, args, copy_context() if context is None else context)
        self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(self, delay, callback, *args, context=None):
        return self.call_at(self.now + max(delay, 0.0), callback, *args, context=context)

    def call_at(self, when, callback, *args, context=None):
        handle = Due(callback, args, copy_context() if context is None else context)
        heapq.heappush(self._timers, (when, next(self._numbers), handle))
        return handle

    def run_in_executor(self, executor, function, *args):
        """Run a function whole after a while, and say so a while later; never in a thread."""
        future = self.create_future()

        def work():
            if future.cancelled():
                return
            try:
                answer = function(*args)
            except BaseException as error:  # noqa: BLE001 it is the caller's
                self.call_later(later, self._told, future, None, error)
            else:
                self.call_later(later, self._told, future, answer, None)

        later = self.chance.between(0.0, 0.002)
        self.call_later(self.chance.between(0.0001, 0.003), work)
        return future

    @staticmethod
    def _told(future, answer, error):
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(answer)

    async def create_connection(self, *_, **__):
        raise RuntimeError("there is no network in here")

    create_server = create_unix_server = create_unix_connection = create_connection

    def call_exception_handler(self, context):
        """Keep what went wrong in a callback; a task nobody asked after says so at random times."""
        if "callback" in context.get("message", "").lower():
            self.failures.append(repr(context.get("exception")))

    def _run_once(self):
        """Take steps until somebody says stop; one call does for all of them."""
        timers, ready, at = self._timers, self._ready, CURRENT
        trace = self.trace
        try:
            while not self._stopping:
                while timers and timers[0][2]._cancelled:
                    heapq.heappop(timers)
                if not ready:
                    if not timers:
                        raise Stuck(f"nothing will ever happen again at t = {self.now:.6f}")
                    if timers[0][0] > self.now:
                        self.now = timers[0][0]
                        self._still = 0
                now = self.now
                while timers and timers[0][0] <= now:
                    handle = heapq.heappop(timers)[2]
                    if not handle._cancelled:
                        ready.append(handle)
                batch = len(ready)
                self.steps += batch
                self._still += batch
                if self.steps > STEPS or self._still > AT_ONCE:
                    raise Stuck(f"{self.steps} steps, {self._still} of them at t = {now:.6f}")
                mark = int(now * 1e9)
                for _ in range(batch):
                    handle = ready.popleft()
                    if handle._cancelled:
                        continue
                    context = handle._context
                    process = context.get(at)
                    if process is None:
                        number = 0
                    elif process.dead:
                        continue
                    else:
                        number = process.number
                        process.steps += 1
                    trace = zlib.crc32(b"%d %d" % (mark, number), trace)
                    try:
                        context.run(handle._callback, *handle._args)
                    except (KeyboardInterrupt, SystemExit):
                        raise
                    except Killed:
                        pass
                    except BaseException as error:  # noqa: BLE001 its failure is a finding
                        self.failures.append(repr(error))
                    if process is not None and process.steps == process.last_step:
                        process.kill()
        finally:
            self.trace = trace

    def close(self):
        """Let go of everything; what is in a process that was killed can't do anything any more."""
        self._ready.clear()
        self._timers.clear()
        for task in self._tasks:
            if task.done():
                if not task.cancelled():
                    task.exception()
                continue
            task._log_destroy_pending = False
            coroutine = task.get_coro()
            for _ in range(10):  # each `finally` that waits for something ignores one
                try:
                    coroutine.close()
                    break
                except (Killed, Exception):  # noqa: BLE001 its last words
                    continue
        self._tasks.clear()
        super().close()
