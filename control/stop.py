"""SIGTERM, as `docker stop` sends it, where there is something to be said before the end."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class ToldToStop(BaseException):
    """The client was told to stop while it waited; like KeyboardInterrupt, no error."""


@contextmanager
def told_to_stop() -> Iterator[None]:
    """Raise ToldToStop on SIGTERM while the block runs."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise ToldToStop

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
