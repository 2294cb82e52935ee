"""What runs in the simulation is what is shipped: no twin of it lives beside the tests."""

import ast
import sys
from pathlib import Path

import pytest

from tests.simulation.chance import Chance
from tests.simulation.world import run

ROOT = Path(__file__).parents[2]
MINE = list(Path(__file__).parent.glob("*.py"))
PRODUCT = ("control", "daemon", "state", "strategies")
EXECUTED = """
    control/halt_file control/protocol
    daemon/brokers/paper daemon/brokers/paper_account daemon/brokers/paper_book
    daemon/brokers/paper_file daemon/brokers/paper_rows daemon/brokers/paper_venue
    daemon/calendar daemon/connection daemon/effects daemon/engine daemon/feeds/reel
    daemon/feeds/replay daemon/halt_file daemon/handlers daemon/identity daemon/keeping
    daemon/life daemon/reading daemon/recovery daemon/replies daemon/sender daemon/server
    daemon/store daemon/trader daemon/watch daemon/writer
    state/apply state/book state/booking state/canonical state/chain state/decider
    state/halting state/history state/journal state/ledger state/marking state/order
    state/planning state/progress state/rebalance state/risk state/rows state/trading
    state/unfolding
"""


def executed(seeds):
    """The modules of ours in which a function was entered, once these seeds or fewer saw all."""
    seen = set()

    def entered(frame, event, argument):
        seen.add(frame.f_code.co_filename)

    before = sys.getprofile()
    sys.setprofile(entered)
    try:
        for seed in seeds:
            run(Chance(seed))
            if set(EXECUTED.split()) <= modules(seen):
                break
    finally:
        sys.setprofile(before)
    return modules(seen)


def modules(seen):
    """Return those files that are ours, as paths from the top without their suffix."""
    files = (Path(name) for name in seen if name.startswith(str(ROOT)))
    return {str(file.relative_to(ROOT).with_suffix("")) for file in files}


def classes_and_functions(files):
    """(kind, name, shape) of everything defined in some modules; the shape knows no names."""
    for file in sorted(files):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                shape = [type(part).__name__ for line in node.body for part in ast.walk(line)]
                yield type(node).__name__, node.name, tuple(shape)


@pytest.mark.timeout(300)
def test_the_daemons_own_modules_run():
    missing = set(EXECUTED.split()) - executed(range(100))

    assert not missing


def test_no_class_of_the_simulation_is_named_like_one_that_runs_in_it():
    running = [ROOT / f"{module}.py" for module in EXECUTED.split()]
    shipped = {name for kind, name, _ in classes_and_functions(running) if kind == "ClassDef"}
    mine = {name for kind, name, _ in classes_and_functions(MINE) if kind == "ClassDef"}

    assert mine & shipped == set()


def test_no_function_of_the_simulation_is_built_like_a_shipped_one():
    shapes = {
        shape: name
        for folder in PRODUCT
        for kind, name, shape in classes_and_functions((ROOT / folder).rglob("*.py"))
        if len(shape) > 40
    }
    twins = [
        (name, shapes[shape]) for _, name, shape in classes_and_functions(MINE) if shape in shapes
    ]

    assert twins == []
