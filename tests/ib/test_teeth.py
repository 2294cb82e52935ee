"""The tests of this folder have teeth: each bug put in on purpose is caught by the one named."""

import pytest

from tests.ib.mutations import MUTATIONS, outcome, patched


def test_each_is_a_patch_that_applies_and_compiles():
    for name in MUTATIONS:
        for module, source in patched(name).items():
            compile(source, module, "exec")


@pytest.mark.nightly
@pytest.mark.parametrize("name", MUTATIONS)
def test_it_is_caught(name):
    code, said = outcome(name)
    assert code == 1, said
    assert "failed" in said.splitlines()[-1], said
