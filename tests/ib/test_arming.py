import pytest

from daemon.brokers.ib.arming import LiveNotArmed, check_armed


def test_a_paper_account_needs_no_arming():
    check_armed("DU1234567", "")


def test_a_live_account_is_traded_when_it_is_named():
    check_armed("U1234567", "U1234567")


@pytest.mark.parametrize(
    ("account", "named"), [("U1234567", ""), ("U1234567", "U7654321"), ("", ""), ("F1", "DU1")]
)
def test_another_live_account_is_not_armed(account, named):
    with pytest.raises(LiveNotArmed, match="live_account"):
        check_armed(account, named)
