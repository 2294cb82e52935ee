"""How people read what is learned: in the status, and of each symbol."""

import msgspec

from control.commands.beliefs import row, whole
from control.commands.status import mind
from control.render import Ink
from state.belief import COLUMNS, instrument
from state.status import BeliefFacts

PLAIN = Ink()
FACTS = BeliefFacts("numpy", ready=True, model_hash="m", at=None, origin="stored")


def told(ok):
    """Return one symbol's belief as the socket carries it."""
    values = [0.1] * len(COLUMNS)
    values[COLUMNS.index("ok")] = ok
    return msgspec.to_builtins(instrument("KO", (0.0, 1.0), [*values, 0.0, 0.0, 0.0, 0.0]))


def status(**changed):
    return mind(msgspec.to_builtins(msgspec.structs.replace(FACTS, **changed)), PLAIN)


def test_the_status_says_that_it_learns_and_for_whom_that_is_used():
    assert status() == "numpy, ready"
    assert status(learning="A") == "numpy, ready; learns A, uses it for none"
    assert status(learning="A", learned=("KO", "PG")).endswith("uses it for KO, PG")


def test_a_symbol_foretold_as_learned_says_so_and_one_that_was_reset_never():
    assert [row(told(ok))[-1] for ok in (0.0, 1.0, 2.0)] == ["RESET", "yes", "learned"]
    assert [told(ok)["learned"] for ok in (0.0, 1.0, 2.0)] == [False, False, True]
    assert "as learned" in whole(told(2.0), PLAIN)
    assert "learned" not in whole(told(1.0), PLAIN)
