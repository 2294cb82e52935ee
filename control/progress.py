"""How far long work is, drawn on stderr for a person at a terminal, and for nobody else."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Final

import typer

TICK: Final = 1.0  # seconds
CLEAR: Final = "\r\x1b[K"

Told = Callable[[int, int], None]


def nobody(done: int, of: int) -> None:
    """Hear how much is done of how much, and draw nothing."""


@contextmanager
def bar(label: str, *, watched: bool) -> Iterator[Told]:
    """Yield what to tell how much is done of how much: a bar draws it where somebody watches."""
    if not watched:
        yield nobody
        return
    with typer.progressbar(length=1, label=label, file=sys.stderr) as drawn:

        def told(done: int, of: int) -> None:
            drawn.length = max(of, 1)
            drawn.update(done - drawn.pos)
            drawn.render_progress()

        yield told


@contextmanager
def elapsed(what: str, *, watched: bool) -> Iterator[None]:
    """Say every second how long something has been waited for, and leave nothing behind."""
    if not watched:
        yield
        return
    over = Event()

    def tell() -> None:
        seconds = 0
        while not over.wait(TICK):
            seconds += 1
            sys.stderr.write(f"{CLEAR}{what}, {seconds} s")
            sys.stderr.flush()
        if seconds:
            sys.stderr.write(CLEAR)
            sys.stderr.flush()

    teller = Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()
