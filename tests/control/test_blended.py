"""How people read a blend: its members in the status, and behind a target."""

from control.commands.explain import wanted
from control.commands.status import strategy
from control.render import Ink

PLAIN = Ink()
CALM = {
    "name": "calm",
    "capital": 0.4,
    "score": 12.34,
    "equity": 1.2,
    "drawdown": 0.051,
    "halted": False,
}


def test_the_status_names_each_member_with_its_capital_and_what_became_of_its_book():
    told = {"name": "blend", "members": [CALM, CALM | {"name": "all", "halted": True}]}

    assert strategy(told, PLAIN) == (
        "blend; calm 40.00 % (score 12.3, down 5.10 %)"
        "; all 40.00 % (score 12.3, down 5.10 %, HALTED)"
    )


def test_another_strategy_is_told_by_its_name_as_by_an_older_daemon():
    assert strategy({"name": "buy_and_hold"}, PLAIN) == "buy_and_hold"


def test_a_target_is_told_with_who_asked_for_it():
    want = {
        "session": "2020-03-16",
        "strategy": "blend",
        "target": 0.07,
        "engine": None,
        "belief": None,
        "members": {"calm": 0.05, "all": 0.02},
    }

    assert "asked for by  calm 5.00 %, all 2.00 %" in wanted(want, PLAIN)
    assert "asked for" not in wanted(want | {"members": {}}, PLAIN)
