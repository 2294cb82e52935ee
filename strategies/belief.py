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
WARM_UP: Final = 750  # bars after which it hardly matters where the slow variance began


class BeliefUnreadable(ValueError):
    """Bytes are no belief of this version, or not whole."""


class Belief(msgspec.Struct, frozen=True):
    """What is believed after a bar. `rows` (N, 15) has the columns COLUMNS; don't write to it."""

    symbols: tuple[str, ...]
    rows: Array
    book_variance: float = 0.0  # of the book fully invested, per bar
    book_count: float = 0.0  # bars it was seen

    @property
    def posterior(self) -> Array:
        """Return (N, 6) the probability of each market state."""
        return self.rows[:, :6]


class Stored(msgspec.Struct, frozen=True, array_like=True):
    """A belief's bytes: the digest is of everything behind it."""

    format: int
    digest: bytes
    symbols: tuple[str, ...]
    book_variance: float
    book_count: float
    rows: bytes


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
    rows = blank(symbols, model).rows
    for n, symbol in enumerate(symbols):
        if symbol in place:
            rows[n] = belief.rows[place[symbol]]
    return Belief(tuple(symbols), rows, belief.book_variance, belief.book_count)


def belief_bytes(belief: Belief) -> bytes:
    """Return a belief as bytes, every row of it covered by a digest."""
    rows = np.ascontiguousarray(belief.rows, dtype="<f8").tobytes()
    stored = Stored(FORMAT, b"", belief.symbols, belief.book_variance, belief.book_count, rows)
    return msgspec.msgpack.encode(msgspec.structs.replace(stored, digest=digest_of(stored)))


def belief_of(data: bytes) -> Belief:
    """Return the belief of `belief_bytes`, bit for bit; raise BeliefUnreadable."""
    try:
        stored = msgspec.msgpack.decode(data, type=Stored)
    except msgspec.MsgspecError as error:
        raise BeliefUnreadable(f"{len(data)} bytes are no belief: {error}") from error
    if stored.format != FORMAT:
        raise BeliefUnreadable(f"the belief has format {stored.format}, this version {FORMAT}")
    if stored.digest != digest_of(stored):
        raise BeliefUnreadable("the belief's digest does not fit its rows: it was damaged")
    rows = np.frombuffer(stored.rows, dtype="<f8").astype(np.float64)
    if rows.size != len(stored.symbols) * len(COLUMNS):
        raise BeliefUnreadable(f"{len(stored.symbols)} symbols can't have {rows.size} numbers")
    return Belief(
        stored.symbols,
        rows.reshape(len(stored.symbols), len(COLUMNS)),
        stored.book_variance,
        stored.book_count,
    )


def digest_of(stored: Stored) -> bytes:
    """Return the digest of everything but the digest itself."""
    plain = msgspec.structs.replace(stored, digest=b"")
    return blake2b(msgspec.msgpack.encode(plain), digest_size=16).digest()
