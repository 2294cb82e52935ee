"""The genes of the genome that ships.

Those of perception were fitted by `python -m bench.fit_genome` to the log evidence of the training
part of the bundled prices, which ends with 2012. docs/beliefs.md says how good they are later.
"""

from collections.abc import Mapping
from typing import Final

FITTED: Final[Mapping[str, float]] = {
    "stay_down": 0.97,
    "stay_up": 0.98,
    "stay_calm": 0.985,
    "stay_normal": 0.98,
    "stay_stressed": 0.96,
    "mu_down": -0.05,
    "mu_up": 0.06,
    "s_calm": 0.55,
    "s_normal": 0.85,
    "s_stressed": 1.6,
    "df": 8.0,
    "range_mean": 1.5,
    "range_spread": 0.45,
    "precision_z": 1.0,
    "precision_r": 0.7,
    "risk": 0.03,
    "gamma": 60.0,
    "kappa": 1.0,
    "weight_fast": 0.0,
    "weight_slow": 0.0,
    "weight_reversion": 0.0,
    "half_life_fast": 10.0,
    "half_life_slow": 90.0,
    "half_life_reversion": 5.0,
    "volatility_target": 0.15,
    "half_life_book": 30.0,
    "risk_parity": 0.5,
    "band": 0.01,
    "cap": 0.2,
    "gross": 1.0,
    "net": 1.0,
    "stop": 60.0,
    "cooldown": 20.0,
}
