"""What is asked of the mind where there is nothing to answer: it says why."""

import pytest
from msgspec.structs import replace

from control.protocol import Beliefs, Exit
from daemon.mind_questions import Unanswerable, believed
from state.snapshot import Snapshot
from tests.state.story import START


@pytest.mark.parametrize(
    ("strategy", "why"),
    [
        ("active_inference", "nothing is believed yet"),
        ("blend", "nothing is believed yet"),  # one of its members may have beliefs
        ("buy_and_hold", "the strategy buy_and_hold has no beliefs"),
    ],
)
async def test_without_a_belief_it_is_said_why(strategy, why):
    now = Snapshot(start=replace(START, strategy=strategy))

    with pytest.raises(Unanswerable, match=why) as found:
        await believed(Beliefs(), now, None)
    assert found.value.reply.exit is Exit.NOT_READY


async def test_a_symbol_of_no_universe_is_not_found():
    with pytest.raises(Unanswerable, match="XYZ is not in the universe") as found:
        await believed(Beliefs(symbol="XYZ"), Snapshot(start=START), None)
    assert found.value.reply.exit is Exit.NOT_FOUND
