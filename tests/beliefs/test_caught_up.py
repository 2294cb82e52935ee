"""The engine that ships catches up with closes that it missed, as the other does."""

import pytest

from tests.daemon.test_mind import missed_and_caught_up_with

pytestmark = pytest.mark.filterwarnings("default")  # jax and its friends deprecate much


async def test_closes_that_were_missed_are_caught_up_with_bit_for_bit():
    await missed_and_caught_up_with("pymdp")
