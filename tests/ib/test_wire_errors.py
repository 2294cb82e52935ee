import pytest

from daemon.brokers.ib.wire_errors import Action, action


@pytest.mark.parametrize("code", [399, 404, 10349])
def test_a_notice_leaves_the_order_alive(code):
    assert action(code) is Action.LIVE


@pytest.mark.parametrize("code", [161, 10147, 10148, 110, 321, 99_999])
def test_what_may_or_may_not_end_an_order_is_read_again(code):
    assert action(code) is Action.READ_AGAIN


def test_an_unknown_warning_changes_nothing():
    assert action(2199) is Action.NOTE
