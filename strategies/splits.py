"""Which bars teach, which judge, and which bars between them are left out."""

from typing import Final

import msgspec

FEWEST: Final = 2  # bars that make a return


class Fold(msgspec.Struct, frozen=True):
    """One step of a walk forward. Half-open ranges of bar numbers; training ends before testing."""

    train: tuple[int, int]
    test: tuple[int, int]


class Segments(msgspec.Struct, frozen=True):
    """A history cut into three: bred on, chosen by, and a holdout that is looked at once."""

    train: tuple[int, int]
    validate: tuple[int, int]
    test: tuple[int, int]


def segments(bars: int, train_end: int, validate_end: int, gap: int) -> Segments:
    """Return the three parts of a history, each `gap` bars after the one before; ValueError.

    bars          length of the history
    train_end     the first bar that is no longer bred on
    validate_end  the first bar of the holdout's gap
    gap           bars purged between parts: what a position decided in one still earns in the next
    """
    cut = Segments((0, train_end), (train_end + gap, validate_end), (validate_end + gap, bars))
    for name in ("train", "validate", "test"):
        start, end = getattr(cut, name)
        if end - start < FEWEST:
            raise ValueError(
                f"the {name} part is bars {start} to {end} of {bars}: give it at least {FEWEST}"
            )
    return cut


def walk_forward(start: int, end: int, folds: int, purge: int, embargo: int) -> tuple[Fold, ...]:
    """Return `folds` expanding folds over bars `start` to `end`; ValueError when they don't fit.

    purge    bars dropped at the end of a training range, whose outcomes reach into the test
    embargo  bars dropped after a test range before a later one may begin: what a test's last
             positions still move is no evidence for the next (López de Prado, Advances in
             Financial Machine Learning, 2018, section 7.4)

    The first half is training only; the tests share the second half in order of time, so every
    test lies after all it was trained on.
    """
    first = start + (end - start) // 2
    each = (end - first) // folds if folds else 0
    if folds < 1 or each - embargo < FEWEST or first - purge - start < FEWEST:
        raise ValueError(
            f"{folds} folds with a purge of {purge} and an embargo of {embargo} do not fit into "
            f"bars {start} to {end}: ask for fewer, or give more history"
        )
    made = []
    for n in range(folds):
        begin = first + n * each
        stop = end if n == folds - 1 else begin + each - embargo
        made.append(Fold((start, begin - purge), (begin, stop)))
    return tuple(made)
