"""A strategy is looked at before it is trusted, and after it spoke."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from strategies.plugin import (
    StrategyFailed,
    StrategyUnknown,
    StrategyUnusable,
    adopted,
    load,
)

CLOSES, HELD = np.full((3, 2), 10.0), np.zeros(2)


def plug_in(answer=(0.5, 0.5), **words):
    module = {
        "API": 1,
        "WINDOW": 3,
        "PARAMETERS": {"speed": (0.5, 0.0, 1.0, "fraction per close")},
        "weights": lambda closes, held, parameters: answer,
    }
    return SimpleNamespace(**(module | words))


def installed(folder, points, **files):
    """Install a package with these entry points and modules into `folder`."""
    info = folder / "their_strategies-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-strategies\nVersion: 1\n")
    lines = "\n".join(f"{name} = {value}" for name, value in points)
    (info / "entry_points.txt").write_text(f"[trade_manager.strategies]\n{lines}\n")
    for name, source in files.items():
        (folder / f"{name}.py").write_text(source)


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Return a folder that packages can be installed into."""
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [
        n for n, m in sys.modules.items() if str(tmp_path) in str(getattr(m, "__file__", ""))
    ]:
        del sys.modules[name]


def test_a_strategy_comes_by_name_with_its_defaults():
    strategy = load("inverse_volatility", {"half_life": 20})

    assert (strategy.name, strategy.window) == ("inverse_volatility", 300)
    assert strategy.parameters == {"half_life": 20.0, "max_weight": 0.25}


def test_a_package_of_somebody_else_is_found_by_its_entry_point(site):
    installed(
        site,
        [("all_in", "their_all_in")],
        their_all_in="API = 1\nWINDOW = 1\nPARAMETERS = {}\n"
        "def weights(closes, held, parameters):\n    return [1.0] + [0.0] * (len(held) - 1)\n",
    )

    assert load("all_in").weights(CLOSES, HELD).tolist() == [1.0, 0.0]


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(StrategyUnknown, match="did you mean 'inverse_volatility'") as raised:
        load("inverse_volatilty")
    assert raised.value.name == "inverse_volatilty"
    with pytest.raises(StrategyUnusable, match="known: active_inference, blend, buy_and_hold"):
        load("momentum")


def test_two_packages_with_one_name_are_not_guessed_between(site):
    installed(site, [("buy_and_hold", "theirs")])

    with pytest.raises(StrategyUnusable, match=r"ambiguous: strategies\.buy_and_hold and theirs"):
        load("buy_and_hold")


@pytest.mark.parametrize(
    ("source", "why"),
    [("raise RuntimeError('no licence')", "RuntimeError: no licence"), (None, "ModuleNotFound")],
)
def test_a_module_that_can_not_be_imported_says_why(site, source, why):
    files = {"theirs_broken": source} if source else {}
    installed(site, [("broken", "theirs_broken")], **files)

    with pytest.raises(StrategyUnusable, match=why):
        load("broken")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"API": 2}, "speaks API 2, this version API 1"),
        ({"API": None}, "speaks API None"),
        ({"WINDOW": 0}, "WINDOW is 0"),
        ({"WINDOW": 3.0}, "WINDOW is 3.0"),
        ({"WINDOW": True}, "WINDOW is True"),
        ({"weights": None}, "has no function weights"),
        ({"PARAMETERS": None}, "PARAMETERS is not name ->"),
        ({"PARAMETERS": {"speed": 0.5}}, "PARAMETERS is not name ->"),
    ],
)
def test_a_module_that_is_no_strategy_is_refused(words, why):
    with pytest.raises(StrategyUnusable, match=why):
        adopted("theirs", plug_in(**words), {})


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"sped": 0.5}, "has no 'sped'; it has speed; did you mean 'speed'"),
        ({"colour": 0.5}, "has no 'colour'; it has speed$"),
        ({"speed": 1.1}, "speed = 1.1 of theirs is outside 0 to 1 .fraction per close"),
        ({"speed": -0.1}, "outside 0 to 1"),
        ({"speed": float("nan")}, "outside 0 to 1"),
    ],
)
def test_a_parameter_has_to_be_known_and_within_its_bounds(parameters, why):
    with pytest.raises(StrategyUnusable, match=why):
        adopted("theirs", plug_in(), parameters)


def test_a_strategy_without_parameters_says_that_it_has_none():
    with pytest.raises(StrategyUnusable, match="it has none"):
        load("buy_and_hold", {"speed": 1.0})


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((0.5,), r"shape \(1,\) for \(2,\)"),
        ([[0.5, 0.5]], r"shape \(1, 2\)"),
        (0.5, r"shape \(\)"),
        ((0.5, float("nan")), r"weights number \[1\] are not finite"),
        ((float("inf"), float("nan")), r"weights number \[0, 1\] are not finite"),
        (("a", "b"), "ValueError"),
        (None, "TypeError|shape"),
    ],
)
def test_an_answer_that_is_no_weights_is_a_failure(answer, why):
    with pytest.raises(StrategyFailed, match=why) as raised:
        adopted("theirs", plug_in(answer), {}).weights(CLOSES, HELD)
    assert raised.value.name == "theirs"


def test_a_strategy_that_raises_has_failed():
    def weigh(closes, held, parameters):
        raise KeyError("momentum")

    with pytest.raises(StrategyFailed, match="theirs failed: KeyError: 'momentum'"):
        adopted("theirs", plug_in(weights=weigh), {}).weights(CLOSES, HELD)


@pytest.mark.parametrize("which", [0, 1])
def test_a_strategy_can_not_change_what_others_see(which):
    def weigh(*given):
        given[which][0] = 99.0
        return given[1]

    with pytest.raises(StrategyFailed, match="read-only"):
        adopted("theirs", plug_in(weights=weigh), {}).weights(CLOSES, HELD)
    assert (CLOSES == 10.0).all()


def test_a_strategy_can_not_change_its_own_parameters():
    def weigh(closes, held, parameters):
        parameters["speed"] = parameters["speed"] + 0.1
        return np.full(2, parameters["speed"])

    strategy = adopted("theirs", plug_in(weights=weigh), {})

    assert strategy.weights(CLOSES, HELD).tolist() == [0.6, 0.6]
    assert strategy.weights(CLOSES, HELD).tolist() == [0.6, 0.6]


def test_weights_are_told_apart_to_a_billionth():
    strategy = adopted("theirs", plug_in((1 / 3, -1e-12)), {})

    assert [str(w) for w in strategy.weights(CLOSES, HELD).tolist()] == ["0.333333333", "0.0"]
