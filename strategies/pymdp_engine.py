"""The step of inference by pymdp: one batched, compiled agent for all instruments.

jax is imported by the engine's making and nowhere else, so whoever has the plain engine needs none
of it. Rows are padded to a few capacities, so instruments come and go without a new compilation,
and the model is an argument, so a new genome needs none either. `pymdp.envs` is never imported: it
draws pictures. Matplotlib, wanted by one function of pymdp that is never called, is stood in for.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache as remembered
from importlib import import_module
from types import ModuleType
from typing import Any, Final

import numpy as np

from strategies.inference import EngineUnavailable, Inference
from strategies.market_model import Tables
from strategies.observation import Array, Booleans, Integers

CAPACITIES: Final = (16, 128, 1024)
NOTHING: Final = -1  # pymdp's word for an observation that wasn't made
PLOTTING: Final = ("matplotlib", "matplotlib.pyplot")

Step = Callable[..., tuple[Any, ...]]


class PymdpEngine:
    """The step by `pymdp.agent.Agent`, in float64, on one thread."""

    name = "pymdp"

    def __init__(self, model: Tables, cache: str | None = None) -> None:
        """Import jax (seconds, 300 MB) and prepare it; raise EngineUnavailable without it.

        cache  folder in which compiled code is kept for the next start
        """
        prepare(cache)
        self.model = model
        self._step = compiled()
        arrays = (model.A_z, model.A_r, model.A_profit, model.B, model.C, model.D, model.levels)
        self._tables = (*arrays, np.float64(model.gamma), np.float64(model.kappa))

    def step(
        self,
        posterior: Array,
        z_bin: Integers,
        range_bin: Integers,
        held_exposure: Array,
        stepped: Booleans,
        likelihood: Array | None = None,
    ) -> Inference:
        """Return what one bar lets one infer: see inference.Engine.

        A likelihood by instrument has a compiled step of its own, made when it is first given.
        """
        rows = len(posterior)
        more = capacity(rows) - rows
        step, tables = self._step, self._tables
        if likelihood is not None:
            spare = np.tile(self.model.A_z, (more, 1, 1))
            step = compiled(by_instrument=True)
            tables = (np.concatenate([likelihood, spare]), *tables[1:])
        found = step(
            *tables,
            np.concatenate([posterior, np.tile(self.model.D, (more, 1))]),
            np.pad(z_bin, (0, more), constant_values=NOTHING),
            np.pad(range_bin, (0, more), constant_values=NOTHING),
            np.pad(held_exposure, (0, more)),
            np.pad(stepped, (0, more)),
        )
        return Inference(*(np.array(part[:rows]) for part in map(np.asarray, found)))


def capacity(rows: int) -> int:
    """Return how many rows are computed for so many instruments: few sizes, few compilations."""
    for size in CAPACITIES:
        if rows <= size:
            return size
    return -(-rows // CAPACITIES[-1]) * CAPACITIES[-1]


def prepare(cache: str | None) -> None:
    """Import jax and pymdp and set jax for the process; raise EngineUnavailable without them."""
    try:
        jax = import_module("jax")
        with without_plotting():
            import_module("pymdp.agent")
    except ImportError as error:
        raise EngineUnavailable(
            f'beliefs.engine = "pymdp" needs jax and pymdp ({error}); install the extra "pymdp", '
            'or set beliefs.engine = "numpy"'
        ) from error
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_enable_x64", True)
    if cache is not None:
        jax.config.update("jax_compilation_cache_dir", cache)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


@contextmanager
def without_plotting() -> Iterator[None]:
    """Let `import matplotlib.pyplot` succeed and do nothing, unless it is there already."""
    if "matplotlib" in sys.modules:
        yield
        return
    standing_in = {name: ModuleType(name) for name in PLOTTING}
    standing_in["matplotlib"].pyplot = standing_in["matplotlib.pyplot"]  # type: ignore[attr-defined]
    sys.modules.update(standing_in)
    try:
        yield
    finally:
        for name in PLOTTING:
            del sys.modules[name]


@remembered
def compiled(*, by_instrument: bool = False) -> Step:
    """Return the step for one thread, compiled once a capacity, whatever the model."""
    options = {"xla_cpu_multi_thread_eigen": False}
    jit: Callable[..., Step] = import_module("jax").jit
    return jit(traced(by_instrument=by_instrument), compiler_options=options)


def traced(*, by_instrument: bool = False) -> Step:
    """Return the step as jax traces it: tables, then (N, ...) rows; the parts of an Inference.

    by_instrument  A_z is (N, 7, S); pymdp then wants every other table for each row as well
    """
    jax, agent = import_module("jax"), import_module("pymdp.agent").Agent
    jnp, replaced = jax.numpy, import_module("equinox").tree_at

    def step(
        A_z: Any,  # noqa: N803 - the model's letters
        A_r: Any,  # noqa: N803
        A_profit: Any,  # noqa: N803
        B: Any,  # noqa: N803
        C: Any,  # noqa: N803
        D: Any,  # noqa: N803
        levels: Any,
        gamma: Any,
        kappa: Any,
        posterior: Any,
        z_bin: Any,
        range_bin: Any,
        held_exposure: Any,
        stepped: Any,
    ) -> tuple[Any, ...]:
        rows, count = posterior.shape[0], levels.shape[0]
        taken = jnp.broadcast_to(jnp.eye(count)[:, None, :], (count, count, count))

        def each(table: Any) -> Any:
            return jnp.broadcast_to(table, (rows, *table.shape)) if by_instrument else table

        trader = agent(
            A=[A_z, each(A_r), each(A_profit)],
            B=[each(B[:, :, None]), each(taken)],
            C=[each(jnp.zeros(A_z.shape[-2])), each(jnp.zeros(A_r.shape[0])), each(C)],
            D=[each(D), each(jnp.full(count, 1.0 / count))],
            A_dependencies=[[0], [0], [0, 1]],
            B_dependencies=[[0], [1]],
            num_controls=[1, count],
            policy_len=1,
            gamma=gamma,
            use_utility=True,
            use_states_info_gain=False,
            inference_algo="fpi",
            num_iter=2,
            batch_size=rows,
        )
        habit = -kappa * jnp.abs(levels - held_exposure[:, None])
        trader = replaced(lambda made: made.E, trader, jax.nn.softmax(habit))
        no_view = jnp.full((rows, count), 1.0 / count)
        still = jnp.zeros((rows, 2), dtype=int)
        before = [posterior[:, None], no_view[:, None]]
        prior = trader.update_empirical_prior(still, before)[0]
        inferred, free = trader.infer_states(
            [z_bin, range_bin, jnp.full(rows, NOTHING)], [prior, no_view], return_info=True
        )
        evidence = jnp.where(stepped, jnp.exp(-free["vfe"]), 1.0)
        after = jnp.where(stepped[:, None], inferred[0][:, -1], posterior)
        sound = jnp.isfinite(posterior).all(axis=1) & (posterior.sum(axis=1) > 0.0)
        ok = sound & jnp.isfinite(after).all(axis=1) & (evidence > 0.0) & jnp.isfinite(evidence)
        after = jnp.where(ok[:, None], after, D)
        believed = [after[:, None], inferred[1]]
        predicted = trader.update_empirical_prior(still, believed)[0]
        actions, utility = trader.infer_policies(believed)
        exposure = jnp.where(ok, actions @ levels, 0.0)
        return after, evidence, predicted, utility, habit, actions, exposure, ok

    return step
