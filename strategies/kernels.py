"""The whole strategy over a history, many genomes at a time: arrays in, arrays out.

Lanes are genomes. Every loop over lanes is innermost, and no lane reads another, so results are the
same bits whatever shares a block with a genome. What no gene can change (returns, bins, the slow
volatility) is worked out once for all of them by `perceive`.

The arithmetic is that of `strategies.active_inference.decide` operation by operation: the weights
are the same bits. Orders trade at the next bar, at its open where it has one, else at its close.
"""

from math import sqrt
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from strategies.exponential import (
    BIAS,
    C2,
    C3,
    C4,
    C5,
    C6,
    C7,
    C8,
    C9,
    C10,
    C11,
    C12,
    C13,
    HIGHEST,
    LN2_HIGH,
    LN2_LOW,
    LOG2_E,
    LOWEST,
    TO_INTEGER,
)

LANES: Final = 32  # genomes of a block
STATES: Final = 6
LEVELS: Final = 5
Z_BINS: Final = 7
RANGE_BINS: Final = 5
FEWEST: Final = 20.0  # returns that make a volatility
CLIP: Final = 6.0
SLOWEST: Final = float(1.0 - 0.5 ** (1.0 / 120.0))
ROUND: Final = 1e9  # weights are whole billionths

# rows of the parameters (ROWS, lanes): tables first, then one number each
A_Z: Final = 0
A_R: Final = A_Z + Z_BINS * STATES
B: Final = A_R + RANGE_BINS * STATES
UTILITY: Final = B + STATES * STATES
START: Final = UTILITY + STATES * LEVELS  # B times D: what the first bar is met with
LEVEL: Final = START + STATES
GAMMA: Final = LEVEL + LEVELS
KAPPA: Final = GAMMA + 1
C_FAST: Final = GAMMA + 2
C_SLOW: Final = GAMMA + 3
KEEP: Final = GAMMA + 4
A_FAST: Final = GAMMA + 5
A_SLOW: Final = GAMMA + 6
A_REVERSION: Final = GAMMA + 7
TARGET: Final = GAMMA + 8
C_BOOK: Final = GAMMA + 9
PARITY: Final = GAMMA + 10
LEVERAGE: Final = GAMMA + 11
BAND: Final = GAMMA + 12
CAP: Final = GAMMA + 13
GROSS: Final = GAMMA + 14
NET: Final = GAMMA + 15
STOP: Final = GAMMA + 16
COOLDOWN: Final = GAMMA + 17
ROWS: Final = GAMMA + 18

# slots of an instrument's state (N, SLOTS, lanes)
PREDICTED: Final = 0
FAST: Final = 6
SLOW: Final = 7
REVERSION: Final = 8
FALL: Final = 9
BLOCKED: Final = 10
UNITS: Final = 11
ORDER: Final = 12  # units on order
HELD: Final = 13  # fraction of equity
WEIGHT: Final = 14
USABLE: Final = 15
PAID: Final = 16  # money put into it, less money taken out
JOINT: Final = 17  # within a bar: states and what was observed together, then the posterior
EVIDENCE: Final = 23
SLOTS: Final = 24

# slots of the book's state (BOOK, lanes)
CASH: Final = 0
EQUITY: Final = 1
VARIANCE: Final = 2
SCALE: Final = 3
SUM: Final = 4
FACTOR: Final = 5
TRADED: Final = 6
TRADES: Final = 7
EXPOSED: Final = 8
BOOK: Final = 9

# what trading costs and allows, (8,)
SPREAD: Final = 0  # half spread and slippage, fraction of price
COMMISSION: Final = 1  # fraction of notional
MAX_WEIGHT: Final = 2
MAX_GROSS: Final = 3
ORDER_BAND: Final = 4  # fraction of equity
MIN_TRADE: Final = 5  # money
INITIAL: Final = 6  # money
TERMS: Final = 7


@njit(cache=True)
def perceive(
    closes: NDArray[np.float64],
    highs: NDArray[np.float64],
    lows: NDArray[np.float64],
    z_edges: NDArray[np.float64],
    range_edges: NDArray[np.float64],
) -> tuple[
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.int8],
    NDArray[np.int8],
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.bool_],
]:
    """Return what every genome sees alike of a history.

    closes, highs, lows  (T, N)  prices, NaN where there is none
    z_edges, range_edges         borders of the bins, slow sigmas, rising

    Returns, each for bar t from bars up to t:
    moves  (T, N)  return since the last close, 0 where there is none
    z      (T, N)  the same in slow volatilities of the bar before, within 6 either way
    z_bin, range_bin  (T, N)  bins, -1 where nothing was observed: no time passes for a belief
    last   (T, N)  the last close, 0 before the first
    lean   (T, N)  share by inverse volatility less an equal one; 0 where the volatility is unknown
    equal  (T, N)  the equal share; 0 where the volatility is unknown
    booked (T,)    whether something moved while the bar before had a volatility
    """
    bars, count = closes.shape
    moves = np.zeros((bars, count))
    z = np.zeros((bars, count))
    z_bin = np.full((bars, count), -1, dtype=np.int8)
    range_bin = np.full((bars, count), -1, dtype=np.int8)
    last = np.zeros((bars, count))
    lean = np.zeros((bars, count))
    equal = np.zeros((bars, count))
    booked = np.zeros(bars, dtype=np.bool_)
    price = np.zeros(count)
    variance = np.zeros(count)
    seen = np.zeros(count)
    for t in range(bars):
        known_before = t > 0 and np.any(equal[t - 1] > 0.0)
        any_moved = False
        for i in range(count):
            close = closes[t, i]
            active = np.isfinite(close) and close > 0.0
            moved = active and price[i] > 0.0
            move = close / price[i] - 1.0 if moved else 0.0
            if moved and seen[i] >= FEWEST and variance[i] > 0.0:
                sigma = sqrt(variance[i])
                score = move / sigma
                reached = 0
                for edge in z_edges:
                    reached += score >= edge
                z_bin[t, i] = reached
                high, low = highs[t, i], lows[t, i]
                if np.isfinite(high) and low > 0.0 and high >= low:
                    spread = (high / low - 1.0) / sigma
                    reached = 0
                    for edge in range_edges:
                        reached += spread >= edge
                    range_bin[t, i] = reached
                z[t, i] = min(max(score, -CLIP), CLIP)
            if moved:
                any_moved = True
                seen[i] += 1.0
                newest = max(SLOWEST, 1.0 / seen[i])
                variance[i] = variance[i] + (move * move - variance[i]) * newest
            if active:
                price[i] = close
            moves[t, i] = move
            last[t, i] = price[i]
        booked[t] = any_moved and known_before
        total = 0.0
        known = 0
        for i in range(count):
            if seen[i] >= FEWEST and variance[i] > 0.0:
                total += 1.0 / sqrt(variance[i])
                known += 1
        for i in range(count):
            if seen[i] >= FEWEST and variance[i] > 0.0:
                equal[t, i] = 1.0 / known
                lean[t, i] = 1.0 / sqrt(variance[i]) / total - equal[t, i]
    return moves, z, z_bin, range_bin, last, lean, equal, booked


@njit(inline="always", error_model="numpy")
def exponential_of(x: float) -> float:
    """Return e**x of one number: bit for bit what `strategies.exponential` gives."""
    x = min(max(x, LOWEST), HIGHEST)
    shifted = x * LOG2_E + TO_INTEGER
    k = shifted - TO_INTEGER
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    p = C13 * r + C12
    p = p * r + C11
    p = p * r + C10
    p = p * r + C9
    p = p * r + C8
    p = p * r + C7
    p = p * r + C6
    p = p * r + C5
    p = p * r + C4
    p = p * r + C3
    p = p * r + C2
    q = (p * r) * r + r
    # the low bits of `shifted` are k: no conversion, which narrow SIMD lacks
    power = np.int64((np.float64(shifted).view(np.int64) + BIAS) << 52).view(np.float64)
    return q * power + power


@njit(cache=True, error_model="numpy")
def simulate(
    seen: tuple[
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.int8],
        NDArray[np.int8],
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.bool_],
    ],
    closes: NDArray[np.float64],
    fills: NDArray[np.float64],
    due: NDArray[np.bool_],
    parameters: NDArray[np.float64],
    terms: NDArray[np.float64],
    trace: NDArray[np.float64],
) -> tuple[
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.float64],
]:
    """Return what a block of genomes would have earned.

    seen        what `perceive` made of the same history
    closes      (T, N)  prices, NaN where there is none
    fills       (T, N)  price at which a bar fills what was ordered one before, NaN: it expires
    due         (T,)    whether a bar's weights become orders
    parameters  (ROWS, LANES)  see the constants; lanes are genomes
    terms       (TERMS,)   costs and limits
    trace       (T, N, 2, 1) to note what lane 0 held and wanted, or (0, 0, 0, 0)

    Returns (T, G) equity in money; (T, G) notional traded at a bar as a fraction of equity; (T, G)
    gross exposure; (N, G) profit by instrument in money, costs included; (G,) trades.
    """
    moves, z, z_bin, range_bin, last, lean, equal, booked = seen
    bars, count = closes.shape
    p = parameters.reshape(-1)
    tables = p[: B * LANES].reshape(B // STATES, STATES * LANES)
    state = np.zeros((count, SLOTS * LANES))
    book = np.zeros(BOOK * LANES)
    equity = np.empty((bars, LANES))
    turnover = np.empty((bars, LANES))
    exposure = np.empty((bars, LANES))
    cost, commission = terms[SPREAD], terms[COMMISSION]
    max_weight, max_gross = terms[MAX_WEIGHT], terms[MAX_GROSS]
    order_band, min_trade = terms[ORDER_BAND], terms[MIN_TRADE]
    noting = trace.shape[0] > 0
    for i in range(count):
        state[i, : STATES * LANES] = p[START * LANES : (START + STATES) * LANES]
    for g in range(LANES):
        book[CASH * LANES + g] = terms[INITIAL]
    booked_bars = 0.0
    for t in range(bars):
        traded_before = t > 0
        for g in range(LANES):
            book[TRADED * LANES + g] = 0.0
        for i in range(count):
            s = state[i]
            fill = fills[t, i]
            if traded_before and np.isfinite(fill):
                buying, selling = fill * (1.0 + cost), fill * (1.0 - cost)
                for g in range(LANES):
                    units = s[ORDER * LANES + g]
                    price = buying if units > 0.0 else selling
                    worth = units * price
                    notional = abs(worth)
                    paid = worth + notional * commission
                    s[UNITS * LANES + g] += units
                    s[PAID * LANES + g] += paid
                    book[CASH * LANES + g] -= paid
                    book[TRADED * LANES + g] += notional
                    book[TRADES * LANES + g] += 1.0 if units != 0.0 else 0.0
            for g in range(LANES):
                s[ORDER * LANES + g] = 0.0
        for g in range(LANES):
            book[EQUITY * LANES + g] = book[CASH * LANES + g]
        for i in range(count):
            s = state[i]
            price = last[t, i]
            for g in range(LANES):
                book[EQUITY * LANES + g] += s[UNITS * LANES + g] * price
        if booked[t]:
            booked_bars += 1.0
            for g in range(LANES):
                book[SUM * LANES + g] = 0.0
            for i in range(count):
                move, share, skew = moves[t, i], equal[t - 1, i], lean[t - 1, i]
                for g in range(LANES):
                    book[SUM * LANES + g] += (share + skew * p[PARITY * LANES + g]) * move
            for g in range(LANES):
                moved = book[SUM * LANES + g]
                was = book[VARIANCE * LANES + g]
                newest = max(p[C_BOOK * LANES + g], 1.0 / booked_bars)
                book[VARIANCE * LANES + g] = was + (moved * moved - was) * newest
        for g in range(LANES):
            variance = book[VARIANCE * LANES + g]
            known = booked_bars >= FEWEST and variance > 0.0
            wanted = p[TARGET * LANES + g] / sqrt(variance if known else 1.0)
            book[SCALE * LANES + g] = min(p[LEVERAGE * LANES + g], wanted) if known else 0.0
            book[SUM * LANES + g] = 0.0
        for i in range(count):
            s = state[i]
            price = last[t, i]
            for g in range(LANES):
                total = book[EQUITY * LANES + g]
                value = s[UNITS * LANES + g] * price
                s[HELD * LANES + g] = value / total if total > 0.0 else 0.0
            if z_bin[t, i] >= 0:
                step_averages(s, p, z[t, i])
                ranged = range_bin[t, i] >= 0
                az = tables[A_Z // STATES + z_bin[t, i]]
                ar = tables[A_R // STATES + (range_bin[t, i] if ranged else 0)]
                infer(s, p, az, ar, ranged)
            active = np.isfinite(closes[t, i]) and closes[t, i] > 0.0
            size(s, book, p, equal[t, i], lean[t, i], active, max_weight)
        limit(state, book, p, count, max_weight, max_gross)
        trading = due[t]
        for g in range(LANES):
            total = book[EQUITY * LANES + g]
            equity[t, g] = total
            turnover[t, g] = book[TRADED * LANES + g] / total if total > 0.0 else 0.0
            exposure[t, g] = 0.0
        for i in range(count):
            s = state[i]
            price = last[t, i]
            for g in range(LANES):
                exposure[t, g] += abs(s[HELD * LANES + g])
            if noting:
                trace[t, i, 0, 0] = s[HELD * LANES]
                trace[t, i, 1, 0] = s[WEIGHT * LANES]
            if trading and price > 0.0:
                for g in range(LANES):
                    total = book[EQUITY * LANES + g]
                    held, weight = s[HELD * LANES + g], s[WEIGHT * LANES + g]
                    units = s[UNITS * LANES + g]
                    apart = abs(weight - held)
                    enough = apart >= order_band and apart * total >= min_trade
                    leaves = weight == 0.0 and units != 0.0
                    trades = (enough or leaves) and total > 0.0
                    wanted = weight * total / price - units
                    s[ORDER * LANES + g] = wanted if trades else 0.0
    profit = np.empty((count, LANES))
    for i in range(count):
        s = state[i]
        for g in range(LANES):
            worth = s[UNITS * LANES + g] * last[bars - 1, i]
            profit[i, g] = worth - s[PAID * LANES + g]
    return equity, turnover, exposure, profit, book[TRADES * LANES :][:LANES].copy()


@njit(cache=True, error_model="numpy")
def step_averages(s: NDArray[np.float64], p: NDArray[np.float64], z: float) -> None:
    """Bring the averages of returns and the stop of one instrument up to a return of `z`."""
    for g in range(LANES):
        fast = s[FAST * LANES + g]
        slow = s[SLOW * LANES + g]
        reversion = s[REVERSION * LANES + g]
        s[FAST * LANES + g] = fast + (z - fast) * p[C_FAST * LANES + g]
        s[SLOW * LANES + g] = slow + (z - slow) * p[C_SLOW * LANES + g]
        s[REVERSION * LANES + g] = (reversion + z) * p[KEEP * LANES + g]
        held = s[HELD * LANES + g]
        side = (1.0 if held > 0.0 else 0.0) - (1.0 if held < 0.0 else 0.0)
        fallen = min(0.0, s[FALL * LANES + g] + side * z)
        fall = 0.0 if side == 0.0 else fallen
        hit = fall < -p[STOP * LANES + g]
        waiting = max(s[BLOCKED * LANES + g] - 1.0, 0.0)
        s[FALL * LANES + g] = 0.0 if hit else fall
        s[BLOCKED * LANES + g] = p[COOLDOWN * LANES + g] if hit else waiting


@njit(cache=True, error_model="numpy")
def infer(
    s: NDArray[np.float64],
    p: NDArray[np.float64],
    az: NDArray[np.float64],
    ar: NDArray[np.float64],
    ranged: bool,
) -> None:
    """Bring the belief of one instrument up to what was observed, and predict the next bar.

    az, ar  (STATES * LANES,) how likely each state makes the bins that were observed
    """
    for m in range(STATES):
        for g in range(LANES):
            s[(JOINT + m) * LANES + g] = s[(PREDICTED + m) * LANES + g] * az[m * LANES + g]
    if ranged:
        for n in range(STATES * LANES):
            s[JOINT * LANES + n] = s[JOINT * LANES + n] * ar[n]
    for g in range(LANES):
        j0, j1 = s[JOINT * LANES + g], s[(JOINT + 1) * LANES + g]
        j2, j3 = s[(JOINT + 2) * LANES + g], s[(JOINT + 3) * LANES + g]
        j4, j5 = s[(JOINT + 4) * LANES + g], s[(JOINT + 5) * LANES + g]
        evidence = j0 + j1 + j2 + j3 + j4 + j5
        s[EVIDENCE * LANES + g] = evidence
        s[JOINT * LANES + g] = j0 / evidence
        s[(JOINT + 1) * LANES + g] = j1 / evidence
        s[(JOINT + 2) * LANES + g] = j2 / evidence
        s[(JOINT + 3) * LANES + g] = j3 / evidence
        s[(JOINT + 4) * LANES + g] = j4 / evidence
        s[(JOINT + 5) * LANES + g] = j5 / evidence
    for m in range(STATES):
        b = p[(B + m * STATES) * LANES : (B + (m + 1) * STATES) * LANES]
        to = s[(PREDICTED + m) * LANES : (PREDICTED + m + 1) * LANES]
        for g in range(LANES):
            total = b[g] * s[JOINT * LANES + g]
            total = total + b[LANES + g] * s[(JOINT + 1) * LANES + g]
            total = total + b[2 * LANES + g] * s[(JOINT + 2) * LANES + g]
            total = total + b[3 * LANES + g] * s[(JOINT + 3) * LANES + g]
            total = total + b[4 * LANES + g] * s[(JOINT + 4) * LANES + g]
            to[g] = total + b[5 * LANES + g] * s[(JOINT + 5) * LANES + g]


@njit(cache=True, error_model="numpy")
def size(
    s: NDArray[np.float64],
    book: NDArray[np.float64],
    p: NDArray[np.float64],
    equal: float,
    lean: float,
    active: bool,
    max_weight: float,
) -> None:
    """Decide one instrument's weight, before the caps of the book, and add it to the book's sum."""
    for g in range(LANES):
        share = equal + lean * p[PARITY * LANES + g] if equal > 0.0 else 0.0
        capacity = share * book[SCALE * LANES + g]
        held = s[HELD * LANES + g]
        able = capacity > 0.0
        lowest, highest = p[LEVEL * LANES + g], p[(LEVEL + 4) * LANES + g]
        taken = held / (capacity if able else 1.0)
        h = min(max(taken, lowest), highest) if able else 0.0
        s0, s1, s2 = s[g], s[LANES + g], s[2 * LANES + g]
        s3, s4, s5 = s[3 * LANES + g], s[4 * LANES + g], s[5 * LANES + g]
        kappa, gamma = -p[KAPPA * LANES + g], p[GAMMA * LANES + g]
        v0, v1 = p[LEVEL * LANES + g], p[(LEVEL + 1) * LANES + g]
        v2, v3 = p[(LEVEL + 2) * LANES + g], p[(LEVEL + 3) * LANES + g]
        v4 = p[(LEVEL + 4) * LANES + g]
        u0 = p[(UTILITY + 0) * LANES + g] * s0 + p[(UTILITY + 5) * LANES + g] * s1
        u0 = u0 + p[(UTILITY + 10) * LANES + g] * s2 + p[(UTILITY + 15) * LANES + g] * s3
        u0 = u0 + p[(UTILITY + 20) * LANES + g] * s4 + p[(UTILITY + 25) * LANES + g] * s5
        u1 = p[(UTILITY + 1) * LANES + g] * s0 + p[(UTILITY + 6) * LANES + g] * s1
        u1 = u1 + p[(UTILITY + 11) * LANES + g] * s2 + p[(UTILITY + 16) * LANES + g] * s3
        u1 = u1 + p[(UTILITY + 21) * LANES + g] * s4 + p[(UTILITY + 26) * LANES + g] * s5
        u2 = p[(UTILITY + 2) * LANES + g] * s0 + p[(UTILITY + 7) * LANES + g] * s1
        u2 = u2 + p[(UTILITY + 12) * LANES + g] * s2 + p[(UTILITY + 17) * LANES + g] * s3
        u2 = u2 + p[(UTILITY + 22) * LANES + g] * s4 + p[(UTILITY + 27) * LANES + g] * s5
        u3 = p[(UTILITY + 3) * LANES + g] * s0 + p[(UTILITY + 8) * LANES + g] * s1
        u3 = u3 + p[(UTILITY + 13) * LANES + g] * s2 + p[(UTILITY + 18) * LANES + g] * s3
        u3 = u3 + p[(UTILITY + 23) * LANES + g] * s4 + p[(UTILITY + 28) * LANES + g] * s5
        u4 = p[(UTILITY + 4) * LANES + g] * s0 + p[(UTILITY + 9) * LANES + g] * s1
        u4 = u4 + p[(UTILITY + 14) * LANES + g] * s2 + p[(UTILITY + 19) * LANES + g] * s3
        u4 = u4 + p[(UTILITY + 24) * LANES + g] * s4 + p[(UTILITY + 29) * LANES + g] * s5
        u0 = gamma * u0 + kappa * abs(v0 - h)
        u1 = gamma * u1 + kappa * abs(v1 - h)
        u2 = gamma * u2 + kappa * abs(v2 - h)
        u3 = gamma * u3 + kappa * abs(v3 - h)
        u4 = gamma * u4 + kappa * abs(v4 - h)
        most = max(max(max(max(u0, u1), u2), u3), u4)
        e0 = exponential_of(u0 - most)
        e1 = exponential_of(u1 - most)
        e2 = exponential_of(u2 - most)
        e3 = exponential_of(u3 - most)
        e4 = exponential_of(u4 - most)
        total = e0 + e1 + e2 + e3 + e4
        exposed = (e0 * v0 + e1 * v1 + e2 * v2 + e3 * v3 + e4 * v4) / total
        signal = p[A_FAST * LANES + g] * s[FAST * LANES + g]
        signal = signal + p[A_SLOW * LANES + g] * s[SLOW * LANES + g]
        signal = signal - p[A_REVERSION * LANES + g] * s[REVERSION * LANES + g]
        tilt = min(max(1.0 + signal, 0.0), 2.0)
        want = min(max(exposed * tilt, lowest), highest)
        want = 0.0 if s[BLOCKED * LANES + g] > 0.0 else want
        cap = min(p[CAP * LANES + g], max_weight)
        weight = min(max(want * capacity, -cap), cap)
        usable = active and share > 0.0 and book[SCALE * LANES + g] > 0.0
        weight = weight if usable else held
        s[WEIGHT * LANES + g] = weight
        s[USABLE * LANES + g] = 1.0 if usable else 0.0
        book[SUM * LANES + g] += abs(weight)


@njit(cache=True, error_model="numpy")
def limit(
    state: NDArray[np.float64],
    book: NDArray[np.float64],
    p: NDArray[np.float64],
    count: int,
    max_weight: float,
    max_gross: float,
) -> None:
    """Scale the weights of a book within its caps, leave small changes, and round them."""
    for g in range(LANES):
        gross = book[SUM * LANES + g]
        most = min(p[GROSS * LANES + g], max_gross)
        book[FACTOR * LANES + g] = most / gross if gross > most else 1.0
        book[SUM * LANES + g] = 0.0
    for i in range(count):
        s = state[i]
        for g in range(LANES):
            weight = s[WEIGHT * LANES + g] * book[FACTOR * LANES + g]
            s[WEIGHT * LANES + g] = weight
            book[SUM * LANES + g] += weight
    for g in range(LANES):
        net = abs(book[SUM * LANES + g])
        most = p[NET * LANES + g]
        book[FACTOR * LANES + g] = most / net if net > most else 1.0
        book[SUM * LANES + g] = 0.0
    for i in range(count):
        s = state[i]
        for g in range(LANES):
            weight = s[WEIGHT * LANES + g] * book[FACTOR * LANES + g]
            held = s[HELD * LANES + g]
            near = abs(weight - held) < p[BAND * LANES + g]
            near = near and weight != 0.0 and s[USABLE * LANES + g] > 0.0
            weight = held if near else weight
            weight = min(max(weight, -max_weight), max_weight)
            s[WEIGHT * LANES + g] = weight
            book[SUM * LANES + g] += abs(weight)
    for g in range(LANES):
        gross = book[SUM * LANES + g]
        book[FACTOR * LANES + g] = max_gross / gross if gross > max_gross else 1.0
    for i in range(count):
        s = state[i]
        for g in range(LANES):
            weight = s[WEIGHT * LANES + g] * book[FACTOR * LANES + g] * ROUND
            whole = (weight + TO_INTEGER) - TO_INTEGER
            s[WEIGHT * LANES + g] = whole / ROUND + 0.0


@njit(cache=True, error_model="numpy")
def foretell(
    seen: tuple[
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.int8],
        NDArray[np.int8],
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.bool_],
    ],
    parameters: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the probability that a block of genomes gave to what was then observed.

    seen        what `perceive` made of a history
    parameters  (ROWS, LANES)

    Returns (T, ceil(N / 16), LANES): products over 16 instruments each, so that none underflows.
    """
    z_bin, range_bin = seen[2], seen[3]
    bars, count = z_bin.shape
    p = parameters.reshape(-1)
    tables = p[: B * LANES].reshape(B // STATES, STATES * LANES)
    state = np.zeros((count, SLOTS * LANES))
    product = np.ones((bars, (count + 15) // 16, LANES))
    for i in range(count):
        state[i, : STATES * LANES] = p[START * LANES : (START + STATES) * LANES]
    for t in range(bars):
        for i in range(count):
            if z_bin[t, i] >= 0:
                s = state[i]
                ranged = range_bin[t, i] >= 0
                az = tables[A_Z // STATES + z_bin[t, i]]
                ar = tables[A_R // STATES + (range_bin[t, i] if ranged else 0)]
                infer(s, p, az, ar, ranged)
                into = product[t, i // 16]
                for g in range(LANES):
                    into[g] *= s[EVIDENCE * LANES + g]
    return product
