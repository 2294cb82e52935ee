"""The configuration: strict, and every value has an origin."""

from decimal import Decimal as D

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.configuration import DEMO, decode, fingerprint, shown
from state.given import KEYS, SECRET, ConfigurationInvalid
from state.settings import Settings

FILE = "/etc/trade-manager/config.toml"


def problems(text="", env=None):
    """Everything wrong with a configuration."""
    with pytest.raises(ConfigurationInvalid) as e:
        decode(text, FILE, env or {})
    assert str(e.value) == "\n".join(map(str, e.value.problems))
    return [str(problem) for problem in e.value.problems]


def test_nothing_given_is_all_defaults():
    effective = decode("", FILE, {})

    assert effective.settings == Settings()
    assert effective.origins == dict.fromkeys(KEYS, "default")


def test_each_value_says_where_it_came_from():
    effective = decode(
        "[risk]\nmax_gross = 0.8\nmax_drawdown = 0.1\n[replay]\nstart = 2020-02-03\n",
        FILE,
        {"TM_RISK__MAX_DRAWDOWN": "0.3", "TM_SOCKET": "/x", "HOME": "/root"},
    )

    assert effective.settings.risk.max_gross == 0.8
    assert effective.settings.risk.max_drawdown == 0.3
    assert effective.settings.replay.start.isoformat() == "2020-02-03"
    given = {key: origin for key, origin in effective.origins.items() if origin != "default"}
    assert given == {
        "risk.max_gross": f"{FILE}:2",
        "risk.max_drawdown": "TM_RISK__MAX_DRAWDOWN",
        "replay.start": f"{FILE}:5",
    }


def test_money_is_exact_however_it_is_written():
    text = '[paper]\ninitial_cash = 100000.10\n[risk]\nmax_order_notional = "0.000001"\n'
    settings = decode(text, FILE, {"TM_EXECUTION__MIN_TRADE": "12.34"}).settings

    assert settings.paper.initial_cash == D("100000.10")
    assert settings.risk.max_order_notional == D("0.000001")
    assert settings.execution.min_trade == D("12.34")


def test_a_variable_can_hold_every_kind_of_value():
    env = {
        "TM_UNIVERSE__SYMBOLS": "AAPL, KO,",
        "TM_RISK__RESTRICTED": '["GE"]',
        "TM_RISK__MARGIN": "true",
        "TM_REPLAY__END": "2022-12-30",
        "TM_REPLAY__PACE": "0",
        "TM_PAPER__SEED": "7",
        "TM_BROKER__KIND": "ib",
        "TM_STRATEGY__PARAMETERS": "{ lookback = 60, floor = 0.01 }",
    }
    settings = decode("", FILE, env).settings

    assert settings.universe.symbols == ("AAPL", "KO")
    assert settings.risk.restricted == ("GE",)
    assert settings.risk.margin is True
    assert settings.replay.end.isoformat() == "2022-12-30"
    assert (settings.replay.pace, settings.paper.seed) == (0.0, 7)
    assert settings.broker.kind == "ib"
    assert settings.strategy.parameters == {"lookback": 60.0, "floor": 0.01}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(
            "[risk]\nmax_gros = 1",
            ":2: unknown key risk.max_gros; did you mean risk.max_gross?",
            id="a slip of the pen",
        ),
        pytest.param(
            "[paper]\nmax_gross = 1",
            ":2: unknown key paper.max_gross; did you mean risk.max_gross?",
            id="in another section",
        ),
        pytest.param(
            "max_gross = 1",
            ":1: unknown key max_gross; did you mean risk.max_gross?",
            id="in no section",
        ),
        pytest.param(
            "[brokr]\nkind = 'ib'",
            ":1: unknown section brokr; did you mean [broker]?",
            id="an unknown section",
        ),
        pytest.param(
            "risk = 1",
            ":1: risk is a section, not a value; write [risk]",
            id="a section as a value",
        ),
        pytest.param(
            "[feed]\nzzzz = 1",
            ":2: unknown key feed.zzzz; [feed] knows kind, clock, max_jump",
            id="nothing like it",
        ),
        pytest.param(
            "\n[risk]\nmax_drawdown = 1.5",
            ":3: risk.max_drawdown = 1.5 is not a number from 0 to 1; "
            "mend it, or leave it out for the default, 0.25",
            id="out of bounds",
        ),
        pytest.param("[replay]\npace = nan", "NaN is not a number from 0 to", id="not a number"),
        pytest.param("[replay]\npace = inf", "Infinity is not a number from 0 to", id="infinite"),
        pytest.param("[risk]\nmargin = 'yes'", '"yes" is not true or false', id="no boolean"),
        pytest.param("[paper]\nseed = 1.5", "1.5 is not a whole number from 0", id="no integer"),
        pytest.param("[replay]\nstart = '1st'", '"1st" is not a date, like', id="no date"),
        pytest.param("[replay]\nstart = 2019-01-01T00:00:00", "is not a date, like", id="a time"),
        pytest.param(
            "[trading]\nmode = 'auto'", 'not one of "autonomous", "on_command"', id="no choice"
        ),
        pytest.param(
            "[paper]\ninitial_cash = 'lots'", '"lots" is not an exact decimal', id="no decimal"
        ),
        pytest.param(
            "[ib]\norder = 'loc'",
            'not one of "adaptive", "market", "moc", "twap", "vwap"',
            id="no way of an order",
        ),
        pytest.param("[paper]\ninitial_cash = 0", "must be above 0", id="no cash"),
        pytest.param("[paper]\ninitial_cash = 'NaN'", "must be a finite amount", id="cash NaN"),
        pytest.param("[paper]\ninitial_cash = 1e13", "within ±9,000,000,000,000", id="too much"),
        pytest.param("[paper]\ncommission_min = -1", "must be at least 0", id="below zero"),
        pytest.param("[universe]\ntick = 0.0000001", "at most 6 decimals", id="too fine"),
        pytest.param("[universe]\nsymbols = ['KO', 'KO']", "KO stands there more", id="twice"),
        pytest.param("[universe]\nsymbols = ['K O']", "'K O' is no symbol", id="no symbol"),
        pytest.param("[universe]\nsymbols = 'KO'", "is not a list, like", id="no list"),
        pytest.param(
            "[risk]\nstale_after = 'soon'", "write a whole number and a unit", id="no age"
        ),
        pytest.param("[execution]\nplan_ttl = '1 bar'", "bars are no fixed time", id="no time"),
        pytest.param("[account]\nbase_currency = 'usd'", "three capitals", id="no currency"),
        pytest.param("[account]\nid = 'a/b'", "letters, digits", id="no account"),
        pytest.param("[telemetry]\nhttp = 'localhost'", "must be HOST:PORT", id="no port"),
        pytest.param("[telemetry]\nhttp = 'a:70000'", "must be HOST:PORT", id="port too high"),
        pytest.param("[control]\nsocket = 'tm.sock'", "must be an absolute path", id="relative"),
        pytest.param(
            "[universe.instruments.KO]\nlt = '1'", "KO.lt is not known; it may be", id="instrument"
        ),
        pytest.param(
            "[universe.instruments.KO]\nlot = 'x'", "KO.lot must be an exact decimal", id="its lot"
        ),
        pytest.param(
            "[universe.instruments.KO]\ntick = '0'", "KO.tick must be above 0", id="its tick"
        ),
        pytest.param(
            "[universe.instruments.KO]\ncurrency = '$'", "KO.currency must be", id="its currency"
        ),
        pytest.param(
            "[strategy.parameters]\nx = nan", "x must be a finite number", id="a parameter"
        ),
        pytest.param(
            "[replay]\nend = 2018-01-01",
            ":2: replay.end: 2018-01-01 is before replay.start = 2019-01-01",
            id="ends before it starts",
        ),
        pytest.param("[risk\n", ":1: not TOML", id="no TOML"),
        pytest.param("[risk]\n\nmax_gross = = 1", ":3: not TOML", id="no TOML further down"),
        pytest.param("[risk]\nmax_gross = 1\nmax_gross = 2", ":3: not TOML", id="a key twice"),
        pytest.param("x = " + "[" * 9999, ":1: nested too deeply", id="nested deeply"),
    ],
)
def test_what_is_wrong_is_named_with_its_line_its_bound_and_a_remedy(text, says):
    (problem,) = problems(text)
    assert problem.startswith(FILE)
    assert says in problem


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("TM_RISK__MAX_GROS", "1", "unknown key risk.max_gros; did you mean risk.max_gross?"),
        ("TM_RSK__MAX_GROSS", "1", "unknown section rsk; did you mean risk.max_gross?"),
        ("TM_WHATEVER__AT_ALL", "1", "unknown section whatever; known are account, universe"),
        ("TM_PAPER__SEED", "", 'paper.seed = "" is not a whole number'),
        ("TM_STRATEGY__PARAMETERS", "x=1", "is not a table, like"),
        ("TM_RISK__RESTRICTED", "[1", "is not a list, like"),
        ("TM_REPLAY__PACE", "fast", '"fast" is not a number'),
    ],
)
def test_a_variable_is_held_to_the_same(name, value, says):
    (problem,) = problems(env={name: value})
    assert problem.startswith(f"{name}: ")
    assert says in problem


def test_everything_wrong_is_said_at_once():
    found = problems("[risk]\nmax_gros = 1\nmax_drawdown = 2\n", {"TM_PAPER__SEED": "x"})
    assert len(found) == 3


# secrets


def test_a_secret_in_a_file_is_refused_without_repeating_it():
    (problem,) = problems("[broker]\nconn = 'hunter2'")
    assert "TM_BROKER__CONN" in problem
    assert "broker.conn_file" in problem
    assert "hunter2" not in problem


def test_a_secret_is_never_shown():
    effective = decode("", FILE, {"TM_BROKER__CONN": "ib://user:hunter2@host"})

    told = shown(effective)
    assert told["broker.conn"] == {"value": "***", "origin": "TM_BROKER__CONN"}
    assert b"hunter2" not in msgspec.json.encode(told)
    assert effective.settings.broker.conn == "ib://user:hunter2@host"


def test_a_secret_given_twice_is_refused():
    (problem,) = problems(env={"TM_BROKER__CONN": "a", "TM_BROKER__CONN_FILE": "/b"})
    assert "keep one of" in problem


def test_shown_is_every_key_as_plain_json():
    told = shown(decode("", FILE, {}))

    assert told.keys() == KEYS.keys()
    assert told["broker.conn"]["value"] == ""
    assert told["risk.max_order_notional"] == {"value": "200000", "origin": "default"}
    assert msgspec.json.decode(msgspec.json.encode(told))["replay.start"]["value"] == "2019-01-01"


def test_the_fingerprint_changes_with_every_setting_but_a_secret():
    plain = fingerprint(Settings())
    assert fingerprint(decode("", FILE, {"TM_BROKER__CONN": "x"}).settings) == plain
    assert fingerprint(decode("[risk]\nmargin = true", FILE, {}).settings) != plain
    assert fingerprint(decode("[risk]\nmargin = false", FILE, {}).settings) == plain


# the promises of the list of keys


def test_every_key_can_be_set_to_its_own_default():
    plain = msgspec.to_builtins(Settings())
    text = []
    for section, keys in plain.items():
        text.append(f"[{section}]")
        for key, value in keys.items():
            if value is not None and f"{section}.{key}" not in SECRET:
                spelt = "{}" if value == {} else msgspec.json.encode(value).decode()
                text.append(f"{key} = {spelt}")
    effective = decode("\n".join(text), FILE, {})

    assert effective.settings == Settings()
    assert (
        sum(origin != "default" for origin in effective.origins.values())
        == len(KEYS) - len(SECRET) - 1
    )


def test_the_demo_is_valid_and_needs_nothing():
    settings = decode(DEMO, "built-in", {}).settings

    assert settings.replay.file == "bundled"
    assert settings.replay.start.year == 2019
    assert (settings.feed.kind, settings.broker.kind) == ("replay", "paper")
    assert settings.universe.symbols == ()  # all there are


@given(st.text())
def test_no_text_is_a_crash(text):
    try:
        decode(text, FILE, {"TM_REPLAY__START": text, "TM_UNIVERSE__SYMBOLS": text})
    except ConfigurationInvalid as e:
        assert e.problems  # noqa: PT017


def test_a_bound_that_is_no_whole_number_is_told_as_it_is():
    with pytest.raises(ConfigurationInvalid, match=r"from 0\.01 to 0\.5"):
        decode("[ib]\nvwap_volume = 0.9\n", "c.toml", {})
