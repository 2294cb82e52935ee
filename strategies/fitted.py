"""The genes of the genome that ships.

Those of perception were fitted by `python -m bench.fit_genome` to the log evidence of the training
part of the bundled prices, which ends with 2012. docs/beliefs.md says how good they are later.
"""

from collections.abc import Mapping
from typing import Final

FITTED: Final[Mapping[str, float]] = {
    "stay_down": 0.73148,
    "stay_up": 0.99294,
    "stay_calm": 0.9835,
    "stay_normal": 0.97853,
    "stay_stressed": 0.94092,
    "mu_down": -0.01909,
    "mu_up": 0.03554,
    "s_calm": 0.52679,
    "s_normal": 0.81546,
    "s_stressed": 1.45358,
    "df": 11.4268,
    "range_mean": 1.27523,
    "range_spread": 0.35437,
    "precision_z": 0.93685,
    "precision_r": 0.95318,
    "risk": 0.02,
    "gamma": 100.0,
    "kappa": 0.5,
    "weight_fast": 0.0,
    "weight_slow": 0.0,
    "weight_reversion": 0.0,
    "half_life_fast": 10.0,
    "half_life_slow": 90.0,
    "half_life_reversion": 5.0,
    "volatility_target": 0.2,
    "half_life_book": 30.0,
    "risk_parity": 0.5,
    "band": 0.002,
    "cap": 0.2,
    "gross": 1.0,
    "net": 1.0,
    "stop": 60.0,
    "cooldown": 20.0,
}
