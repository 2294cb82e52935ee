"""exp of nothing but IEEE additions and products: the same bits in numpy, numba and on any machine.

`numpy.exp` and the C library's `exp` differ in the last bit, and by processor; a backtest kernel
and the live path that used them could not agree to the bit. A kernel repeats these steps, lane by
lane.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

LOG2_E: Final = 1.4426950408889634
LN2_HIGH: Final = 6.93147180369123816490e-01  # the high 33 bits: k * LN2_HIGH is exact
LN2_LOW: Final = 1.90821492927058770002e-10
TO_INTEGER: Final = 6755399441055744.0  # 1.5 * 2**52: adding it rounds to the nearest integer
LOWEST: Final = -700.0
HIGHEST: Final = 700.0
BIAS: Final = 1023
# 1 / n! for n = 2 to 13: the Taylor series on |r| <= ln(2) / 2 is exact to 4e-18
C2: Final = 1.0 / 2.0
C3: Final = 1.0 / 6.0
C4: Final = 1.0 / 24.0
C5: Final = 1.0 / 120.0
C6: Final = 1.0 / 720.0
C7: Final = 1.0 / 5040.0
C8: Final = 1.0 / 40320.0
C9: Final = 1.0 / 362880.0
C10: Final = 1.0 / 3628800.0
C11: Final = 1.0 / 39916800.0
C12: Final = 1.0 / 479001600.0
C13: Final = 1.0 / 6227020800.0


def exponential(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return e**x of an array of numbers, none of them NaN, to 1 ulp; x is cut at -700 and 700."""
    x = np.minimum(np.maximum(x, LOWEST), HIGHEST)
    k = (x * LOG2_E + TO_INTEGER) - TO_INTEGER
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    p = C13 * r + C12
    for c in (C11, C10, C9, C8, C7, C6, C5, C4, C3, C2):
        p = p * r + c
    q = (p * r) * r + r
    power = ((k.astype(np.int64) + BIAS) << 52).view(np.float64)
    return np.asarray(q * power + power)
