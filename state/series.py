"""A period's series for plots: few enough points that a report fits in one frame of the wire."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Final, TypeVar

import msgspec

from state.instrument import ZERO, Symbol
from state.session import Session

POINTS: Final = 400  # of each thinned series
DIGITS: Final = 5  # of a weight

T = TypeVar("T")


class Exposure(msgspec.Struct, frozen=True):
    """What was held at some of the closes, as signed fractions of equity.

    Row n of `weights` is at[n], column m is symbols[m]; `gross` and `net` have a figure for each
    row. At most 400 rows, evenly spaced in sessions, the last session among them.
    """

    at: tuple[datetime, ...] = ()
    gross: tuple[float, ...] = ()
    net: tuple[float, ...] = ()
    symbols: tuple[Symbol, ...] = ()
    weights: tuple[tuple[float, ...], ...] = ()


def thinned(rows: Sequence[T], most: int = POINTS) -> Sequence[T]:
    """Return every k-th of the rows, counted from the last, so that at most `most` remain."""
    step = -(-len(rows) // most) or 1
    return rows[(len(rows) - 1) % step :: step] if rows else rows


def deepest(falls: Sequence[tuple[datetime, float]], most: int) -> Sequence[tuple[datetime, float]]:
    """Return the deepest of every k falls in a row, counted from the last, at most `most` of them.

    So that the deepest of all is among them: a trough lasts a session, and every k-th misses it.
    """
    step = -(-len(falls) // most) or 1
    first = len(falls) % step
    parts = [falls[:first]] if first else []
    parts += [falls[n : n + step] for n in range(first, len(falls), step)]
    return [max(part, key=lambda fall: fall[1]) for part in parts]


def exposure(sessions: Sequence[Session]) -> Exposure:
    """Return what was held over a period; symbols in alphabetical order."""
    symbols = sorted({symbol for session in sessions for symbol in session.weights})
    kept = thinned(sessions)
    return Exposure(
        at=tuple(s.at for s in kept),
        gross=tuple(round(s.gross, DIGITS) for s in kept),
        net=tuple(round(s.net, DIGITS) for s in kept),
        symbols=tuple(symbols),
        weights=tuple(
            tuple(round(s.weights.get(symbol, 0.0), DIGITS) for symbol in symbols) for s in kept
        ),
    )


def put_in(
    sessions: Iterable[Session], benchmark: Mapping[date, float]
) -> tuple[tuple[datetime, float], ...]:
    """Return what the account's money would be worth in the benchmark, at some of the closes.

    The equity of the first close that the benchmark has is put into it, and what came or went
    since at the next such close: so money that comes is no gain of either.
    """
    units, before = 0.0, ZERO
    worth: list[tuple[datetime, float]] = []
    for session in sessions:
        level = benchmark.get(session.session, 0.0)
        if level <= 0:
            continue
        units += float(session.flows - before if worth else session.equity) / level
        before = session.flows
        worth.append((session.at, round(units * level, 2)))
    return tuple(thinned(worth))


def beside(
    sessions: Iterable[Session], benchmark: Mapping[date, float]
) -> tuple[tuple[datetime, float], ...]:
    """Return the benchmark's level at some of the closes, 1 at the first it has."""
    known = [(s.at, benchmark[s.session]) for s in sessions if benchmark.get(s.session, 0.0) > 0]
    return tuple((at, round(level / known[0][1], DIGITS)) for at, level in thinned(known))
