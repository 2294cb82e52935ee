"""What is believed of each instrument, as a value: passed in and out of a step, stored as bytes.

Nothing else carries over from one bar to the next, so a belief that is restored goes on bit by bit
as if nothing had happened.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from strategies.market_model import Tables

Array = NDArray[np.float64]

STATES: Final = tuple(
    f"{direction}_{volatility}"
    for direction in ("down", "up")
    for volatility in ("calm", "normal", "stressed")
)
COLUMNS: Final = (
    *STATES,  # the posterior, probabilities
    "price",  # the last close; 0 when there was none
    "variance",  # of returns per bar, slow
    "count",  # returns seen
    "fast",  # average of returns in slow sigmas: fast and slow momentum
    "slow",
    "reversion",  # the price's distance from its own average, slow sigmas
    "fall",  # of the position since its best, slow sigmas, never above 0
    "blocked",  # bars that a stop keeps it closed yet
    "base",  # its share of the book fully invested
)
PRICE, VARIANCE, COUNT, FAST, SLOW, REVERSION, FALL, BLOCKED, BASE = range(6, 15)
FORMAT: Final = 1
LEARNING: Final = 2  # the format of a belief that learns
BINS: Final = 7  # of returns
WARM_UP: Final = 750  # bars after which it hardly matters where the slow variance began


class BeliefUnreadable(ValueError):
    """Bytes are no belief of this version, or not whole."""


class Learned(msgspec.Struct, frozen=True):
    """What each symbol taught about its returns, and whether it is used: see `learning`."""

    counts: Array  # (N, 7, S) bars of each bin, by how likely each state was, fading
    other: Array  # (N, S) posterior of the filter that isn't in use, trained or learned
    lead: Array  # (N,) nats by which the learned likelihood foretold better, fading
    used: NDArray[np.bool_]  # (N,) whether the posterior in the belief's rows is the learned one's

    @property
    def table(self) -> Array:
        """Return (N, 50) all of it, as it is stored."""
        rows = len(self.lead)
        return np.column_stack(
            [self.counts.reshape(rows, BINS * len(STATES)), self.other, self.lead, self.used]
        )


class Belief(msgspec.Struct, frozen=True):
    """What is believed after a bar. `rows` (N, 15) has the columns COLUMNS; don't write to it."""

    symbols: tuple[str, ...]
    rows: Array
    book_variance: float = 0.0  # of the book fully invested, per bar
    book_count: float = 0.0  # bars it was seen
    learned: Learned | None = None  # None: it doesn't learn

    @property
    def posterior(self) -> Array:
        """Return (N, 6) the probability of each market state."""
        return self.rows[:, :6]


class Stored(msgspec.Struct, frozen=True, array_like=True):
    """A belief's bytes: the digest is of everything else."""

    format: int
    digest: bytes
    symbols: tuple[str, ...]
    book_variance: float
    book_count: float
    rows: bytes


class StoredLearning(Stored, frozen=True, array_like=True):
    """The bytes of a belief that learns."""

    learned: bytes = b""


def learned_of(table: Array) -> Learned:
    """Return what `Learned.table` (N, 50) holds."""
    cells, states = BINS * len(STATES), len(STATES)
    return Learned(
        counts=table[:, :cells].reshape(-1, BINS, states),
        other=table[:, cells : cells + states],
        lead=table[:, -2],
        used=table[:, -1] == 1.0,
    )


def blank(symbols: Sequence[str], model: Tables) -> Belief:
    """Return what is believed before anything was seen."""
    rows = np.zeros((len(symbols), len(COLUMNS)))
    rows[:, :6] = model.D
    return Belief(tuple(symbols), rows)


def aligned(belief: Belief, symbols: Sequence[str], model: Tables) -> Belief:
    """Return the belief for `symbols`: kept, in their order; new ones blank; others dropped."""
    if belief.symbols == tuple(symbols):
        return belief
    place = {symbol: n for n, symbol in enumerate(belief.symbols)}
    rows, learned = blank(symbols, model).rows, None
    kept = [n for n, symbol in enumerate(symbols) if symbol in place]
    old = [place[symbols[n]] for n in kept]
    rows[kept] = belief.rows[old]
    if belief.learned is not None:
        table = untaught(len(symbols), model).table
        table[kept] = belief.learned.table[old]
        learned = learned_of(table)
    return Belief(tuple(symbols), rows, belief.book_variance, belief.book_count, learned)


def untaught(count: int, model: Tables) -> Learned:
    """Return what is learned of `count` symbols before anything was seen."""
    nothing = np.zeros((count, BINS, len(STATES)))
    other = np.tile(model.D, (count, 1))
    return Learned(nothing, other, np.zeros(count), np.zeros(count, dtype=bool))


def belief_bytes(belief: Belief) -> bytes:
    """Return a belief as bytes, every row of it covered by a digest."""
    head = (belief.symbols, belief.book_variance, belief.book_count, raw(belief.rows))
    stored = Stored(FORMAT, b"", *head)
    if belief.learned is not None:
        stored = StoredLearning(LEARNING, b"", *head, raw(belief.learned.table))
    return msgspec.msgpack.encode(msgspec.structs.replace(stored, digest=digest_of(stored)))


def belief_of(data: bytes) -> Belief:
    """Return the belief of `belief_bytes`, bit for bit; raise BeliefUnreadable."""
    try:
        stored = msgspec.msgpack.decode(data, type=Stored)
        if stored.format == LEARNING:
            stored = msgspec.msgpack.decode(data, type=StoredLearning)
    except msgspec.MsgspecError as error:
        raise BeliefUnreadable(f"{len(data)} bytes are no belief: {error}") from error
    if stored.format not in (FORMAT, LEARNING):
        raise BeliefUnreadable(
            f"the belief has format {stored.format}, this version reads {FORMAT} and {LEARNING}"
        )
    if stored.digest != digest_of(stored):
        raise BeliefUnreadable("the belief's digest does not fit its rows: it was damaged")
    count, learned = len(stored.symbols), None
    if isinstance(stored, StoredLearning):
        learned = learned_of(table_of(stored.learned, count, (BINS + 1) * len(STATES) + 2))
    rows = table_of(stored.rows, count, len(COLUMNS))
    return Belief(stored.symbols, rows, stored.book_variance, stored.book_count, learned)


def raw(table: Array) -> bytes:
    """Return the bytes of a table, row by row."""
    return np.ascontiguousarray(table, dtype="<f8").tobytes()


def table_of(data: bytes, rows: int, columns: int) -> Array:
    """Return the table that `raw` wrote; raise BeliefUnreadable when it has another size."""
    numbers = np.frombuffer(data, dtype="<f8").astype(np.float64)
    if numbers.size != rows * columns:
        raise BeliefUnreadable(f"{rows} symbols can't have {numbers.size} numbers")
    return numbers.reshape(rows, columns)


def digest_of(stored: Stored) -> bytes:
    """Return the digest of everything but the digest itself."""
    plain = msgspec.structs.replace(stored, digest=b"")
    return blake2b(msgspec.msgpack.encode(plain), digest_size=16).digest()
