import sys
from datetime import date
from decimal import Decimal as D
from importlib import import_module

import pytest
from msgspec.structs import replace

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
from strategies.plugin import adopted, load

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


def test_an_approval_is_not_of_what_approves_a_genome_on_top():
    bare = approval(Settings(ib=LIVE), load("buy_and_hold", {}))
    with_champion = replace(LIVE, approved_champion="0123456789abcdef")

    assert approval(Settings(ib=with_champion), load("buy_and_hold", {})) == bare


@pytest.fixture
def plug_in(tmp_path, monkeypatch):
    """A plug-in of two modules, and its parameters."""
    package = tmp_path / "plugged_in"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "told.py").write_text("ONE = 1.0\n")
    (package / "asked.py").write_text(
        "from plugged_in.told import ONE\n"
        "API, WINDOW, PARAMETERS = 1, 1, {'most': (1.0, 0.0, 2.0, 'a weight')}\n"
        "def weights(closes, held, parameters):\n    return held * ONE\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield package, adopted("plugged_in", import_module("plugged_in.asked"), {})
    for name in [name for name in sys.modules if name.startswith("plugged_in")]:
        del sys.modules[name]


def test_an_approval_is_of_all_modules_of_a_plug_in_and_of_its_defaults(plug_in):
    package, strategy = plug_in
    approved = approval(Settings(ib=LIVE), strategy)
    defaults = adopted("plugged_in", sys.modules["plugged_in.asked"], {"most": 2.0})
    assert approval(Settings(ib=LIVE), defaults) != approved

    (package / "told.py").write_text("ONE = 2.0\n")
    assert approval(Settings(ib=LIVE), strategy) != approved


def test_what_cannot_be_read_cannot_be_approved():
    with pytest.raises(LiveNotArmed, match="builtins has no file"):
        approval(Settings(ib=LIVE), object())


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
