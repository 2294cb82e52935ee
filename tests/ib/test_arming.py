from datetime import date
from decimal import Decimal as D

import pytest

from daemon.brokers.ib.arming import (
    LiveNotArmed,
    StateBelongsElsewhere,
    approval,
    belonging,
    check_approved,
    check_armed,
    check_not_of_ib,
    in_first_days,
)
from state.settings import InteractiveBrokers, Limits, Settings
from strategies.plugin import load

LIVE = InteractiveBrokers(account="U1234567", live_account="U1234567")
MONDAY = date(2026, 1, 5)


def test_a_paper_account_needs_no_arming():
    check_armed("DU1234567", "")
    check_approved(InteractiveBrokers(account="DU1234567"), "0123456789abcdef")


def test_a_live_account_is_traded_when_it_is_named():
    check_armed("U1234567", "U1234567")


@pytest.mark.parametrize(
    ("account", "named"), [("U1234567", ""), ("U1234567", "U7654321"), ("", ""), ("F1", "DU1")]
)
def test_another_live_account_is_not_armed(account, named):
    with pytest.raises(LiveNotArmed, match=r"LIVE_NOT_ARMED.*live_account"):
        check_armed(account, named)


def test_what_nobody_approved_does_not_trade_a_live_account():
    with pytest.raises(LiveNotArmed, match='approved = "0123456789abcdef"'):
        check_approved(LIVE, "0123456789abcdef")


def test_approval_is_of_the_settings_the_strategy_and_the_code_and_not_of_itself():
    volatility, weights = load("inverse_volatility", {}), load("buy_and_hold", {})
    approved = approval(Settings(ib=LIVE), volatility)
    told = InteractiveBrokers(account="U1234567", live_account="U1234567", approved=approved)

    check_approved(told, approval(Settings(ib=told), volatility))
    assert approval(Settings(ib=told, risk=Limits(max_gross=2.0)), volatility) != approved
    assert approval(Settings(ib=told), weights) != approved


def test_a_state_directory_is_of_one_account(tmp_path):
    belonging(tmp_path, "DU1234567", MONDAY)
    assert belonging(tmp_path, "DU1234567", date(2026, 2, 2)).since == MONDAY
    with pytest.raises(StateBelongsElsewhere, match="DU1234567"):
        belonging(tmp_path, "U1234567", MONDAY)
    with pytest.raises(StateBelongsElsewhere):
        check_not_of_ib(tmp_path)


def test_the_embedded_brokers_directory_is_not_an_accounts(tmp_path):
    check_not_of_ib(tmp_path)
    (tmp_path / "paper.db").touch()
    with pytest.raises(StateBelongsElsewhere, match="paper broker"):
        belonging(tmp_path, "DU1234567", MONDAY)


def test_the_first_days_of_a_live_account_are_capped():
    usual = Limits()
    capped = in_first_days(usual, LIVE, MONDAY, date(2026, 1, 9))
    assert (capped.max_order_notional, capped.max_day_turnover) == (D(5000), 0.1)
    assert in_first_days(usual, LIVE, MONDAY, date(2026, 1, 10)) == usual
    assert in_first_days(usual, InteractiveBrokers(account="DU1"), MONDAY, MONDAY) == usual
