"""Idempotency keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.key import KeyInvalid, checked, fresh


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=200))
def test_printable_ascii_is_a_key(key):
    assert checked(key) == key


@pytest.mark.parametrize("key", ["", "x" * 201, "a\n", "\x7f", "ü", "\u2028"])
def test_anything_else_is_none(key):
    with pytest.raises(KeyInvalid, match="1 to 200 printable ASCII") as e:
        checked(key)
    assert e.value.key == key


def test_a_fresh_key_is_one_nobody_has_and_says_what_for():
    keys = {fresh("halt") for _ in range(1000)}
    assert len(keys) == 1000
    assert all(checked(key).startswith("halt-") for key in keys)
