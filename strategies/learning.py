"""Learning the likelihood of returns by instrument, online, gated, and never far from the trained.

Two exact filters run side by side: one by the trained likelihood, as without learning, and one by
the trained counts plus what this instrument showed (a Dirichlet posterior over each column of A,
Friston et al. 2016, with forgetting). The second is used for a symbol only after it foretold
returns better by more than chance explains, and only as long as it does. Transitions, ranges and
preferences are never learned.

It all happens between two steps of an engine, so every engine learns the same.
"""

from hashlib import blake2b
from typing import Final

import msgspec
import numpy as np

from strategies.belief import Belief, Learned, untaught
from strategies.inference import Engine, Inference, summed
from strategies.market_model import Tables, model_hash
from strategies.observation import Array, Booleans, Observed

PRIOR: Final = 1000.0  # bars of its own that each state's trained column is worth
KEEP: Final = 1.0 - 2.0**-11  # of the counts a bar: half of them after 1,419 bars
FADE: Final = 1.0 - 2.0**-11  # of the lead a bar, as slowly
OPENS: Final = 3.0  # nats: a ratio of 20, which the true model concedes once in 20 (Ville 1939)
FARTHEST: Final = 0.05  # chi-square of a column from the trained one; no less than its KL, nats


def learning_hash(hash_: str) -> str:
    """Return the hash of a model that learns, given that of the same one which doesn't."""
    how = f"learning A {PRIOR!r} {KEEP!r} {FADE!r} {OPENS!r} {FARTHEST!r} {hash_}"
    return blake2b(how.encode(), digest_size=16).hexdigest()


def hashes(model: Tables, *, learning: bool) -> tuple[str, str]:
    """Return the hash of a model as configured, and that of the same one learning, or not.

    A belief of either can be gone on from: see `configured`.
    """
    plain = model_hash(model)
    taught = learning_hash(plain)
    return (taught, plain) if learning else (plain, taught)


def configured(belief: Belief, model: Tables, *, learning: bool) -> Belief:
    """Return a belief that learns from now on, or one in which nothing was ever learned."""
    return beginning(belief, model) if learning else forgotten(belief)


def users(belief: Belief) -> tuple[str, ...]:
    """Return the symbols whose returns are foretold by what was learned of them."""
    if belief.learned is None:
        return ()
    used = belief.learned.used.tolist()
    return tuple(symbol for symbol, one in zip(belief.symbols, used, strict=True) if one)


def beginning(belief: Belief, model: Tables) -> Belief:
    """Return a belief that learns from now on; what it learned already is kept."""
    if belief.learned is not None:
        return belief
    nothing = untaught(len(belief.symbols), model)
    learned = msgspec.structs.replace(nothing, other=belief.posterior.copy())
    return msgspec.structs.replace(belief, learned=learned)


def forgotten(belief: Belief) -> Belief:
    """Return what would be believed had nothing ever been learned."""
    if (learned := belief.learned) is None:
        return belief
    rows = belief.rows.copy()
    rows[:, :6] = np.where(learned.used[:, None], learned.other, rows[:, :6])
    return msgspec.structs.replace(belief, rows=rows, learned=None)


def likelihood(model: Tables, counts: Array) -> Array:
    """Return (N, 7, S) the learned likelihood of each symbol, after `counts` (N, 7, S) of its own.

    A column whose chi-square from the trained one exceeds FARTHEST is drawn back on the straight
    line to it. Kullback-Leibler divergence is at most that (Gibbs and Su 2002), and unlike it the
    bound has an exact answer in plain arithmetic.
    """
    total = summed(counts.swapaxes(0, 1))
    step = (counts - total[:, None] * model.A_z) / (PRIOR + total)[:, None]
    far = summed((step * step / model.A_z).swapaxes(0, 1))
    share = np.sqrt(FARTHEST / np.maximum(far, FARTHEST))
    return np.asarray(model.A_z + step * share[:, None])


def in_use(model: Tables, belief: Belief) -> Array | None:
    """Return (N, 7, S) the likelihood by which each symbol's next return is foretold.

    None where nothing is learned, which is the trained one for all.
    """
    if (learned := belief.learned) is None:
        return None
    own = likelihood(model, learned.counts)
    return np.where(learned.used[:, None, None], own, model.A_z)


def learned_step(
    model: Tables, engine: Engine, before: Belief, learned: Learned, seen: Observed
) -> tuple[Inference, Learned]:
    """Return what a bar lets one infer by the filter in use for each symbol, and what it taught.

    before  what was believed before the bar; `learned` is of it
    The evidence is that of the filter which was in use when the bar came: it foretold it. All else
    is of the one in use from now on.
    """
    used, own_before = learned.used[:, None], before.posterior
    trained_before = np.where(used, learned.other, own_before)
    own_before = np.where(used, own_before, learned.other)
    observed = seen.z_bin, seen.range_bin, seen.held_exposure, seen.stepped
    trained = engine.step(trained_before, *observed)
    own = engine.step(own_before, *observed, likelihood(model, learned.counts))
    ok = trained.ok & own.ok
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.log(own.evidence) - np.log(trained.evidence)
    lead = np.where(seen.stepped & ok, learned.lead * FADE + gain, learned.lead)
    now = ok & np.where(learned.used, lead > 0.0, lead > OPENS)
    counts = learned.counts.copy()
    taught = np.flatnonzero(seen.stepped & ok)
    counts[taught] *= KEEP
    counts[taught, seen.z_bin[taught]] += own.posterior[taught]
    found = {
        name: chosen(now, getattr(own, name), getattr(trained, name))
        for name in Inference.__struct_fields__
    }
    found["evidence"] = chosen(learned.used & ok, own.evidence, trained.evidence)
    return (
        msgspec.structs.replace(trained, **(found | {"ok": trained.ok})),
        Learned(
            counts=chosen(ok, counts, np.zeros_like(counts)),
            other=chosen(ok & ~now, own.posterior, trained.posterior),
            lead=np.where(ok, lead, 0.0),
            used=now,
        ),
    )


def chosen(which: Booleans, own: Array, trained: Array) -> Array:
    """Return the rows of `own` where `which` (N,) says so, else those of `trained`."""
    return np.where(which.reshape(-1, *[1] * (own.ndim - 1)), own, trained)
