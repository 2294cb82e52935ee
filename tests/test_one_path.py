"""There is one path to a broker, and the gate stands on it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PRODUCT = ("state", "strategies", "control", "daemon")
ADAPTERS = ROOT / "daemon" / "brokers"  # what is on the other side of the seam


def modules() -> Iterator[tuple[str, ast.Module]]:
    for folder in PRODUCT:
        for file in sorted((ROOT / folder).rglob("*.py")):
            yield str(file.relative_to(ROOT)), ast.parse(file.read_text())


def callers(of: str) -> set[str]:
    """Return the modules that call `of(...)` or `anything.of(...)`."""
    found = set()
    for name, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = node.func
                last = called.attr if isinstance(called, ast.Attribute) else None
                if last == of or (isinstance(called, ast.Name) and called.id == of):
                    found.add(name)
    return found


def test_one_module_sends_orders():
    sending = {
        name
        for name, tree in modules()
        if not (ROOT / name).is_relative_to(ADAPTERS)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr == "place"
        and "broker" in ast.unparse(node)
    }
    assert sending == {"daemon/sender.py"}


def test_one_function_submits_orders_and_it_asks_the_gate_first():
    assert callers("OrderSubmitted") == {"state/trading.py"}
    tree = ast.parse((ROOT / "state/trading.py").read_text())
    (function,) = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and "OrderSubmitted(" in ast.unparse(node)
    ]
    source = ast.unparse(function)
    assert source.index("check(") < source.index("OrderSubmitted(")
    assert "if denial is None and" in source[: source.index("OrderSubmitted(")]


def test_only_the_claim_lets_an_order_out():
    assert callers("OrderClaimed") == {"state/trading.py"}
    assert callers("Claim") == {"daemon/sender.py"}


@pytest.mark.parametrize("broker", ["PaperBroker", "RecordingBroker"])
def test_brokers_are_made_in_one_place(broker):
    made = {name for name, tree in modules() if f"{broker}." in ast.unparse(tree)}
    assert made <= {"daemon/world.py"}
