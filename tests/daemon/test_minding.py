"""The mind that a configuration asks for, or why it can't be had."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from control.protocol import Exit, ResumeEvolution, StartEvolution
from daemon import minding
from daemon.evolving import Evolving
from daemon.minding import asleep, check_engine, model_of
from daemon.pool import InlinePool
from state.configuration import decode
from state.evolved import Evolution as EvolutionState
from state.given import ConfigurationInvalid
from strategies.genome import DEFAULT
from strategies.inference import EngineUnavailable
from strategies.market_model import LONG_SHORT, tables
from strategies.market_model import model_hash as digest
from strategies.plugin import StrategyUnusable


def settings(text, name="active_inference"):
    return decode(f'[strategy]\nname = "{name}"\n{text}', "test", {}).settings


def test_parameters_are_genes_over_the_default_genome():
    model = model_of(settings("parameters = { kappa = 3.0 }"))

    assert digest(model) == digest(tables(DEFAULT.but(kappa=3.0))) != digest(tables(DEFAULT))


def test_a_strategy_without_a_mind_has_no_model():
    assert model_of(settings("", "buy_and_hold")) is None


@pytest.mark.parametrize(
    ("parameters", "said"),
    [("kapa = 1.0", "did you mean 'kappa'"), ("kappa = 99.0", "kappa = 99.0 is outside 0 to 15")],
)
def test_what_is_no_gene_is_refused(parameters, said):
    with pytest.raises(StrategyUnusable, match=said):
        model_of(settings(f"parameters = {{ {parameters} }}"))


def test_shorts_are_preferred_only_where_they_are_allowed():
    allowed = settings('[risk]\nallow_short = true\n[beliefs]\nexposures = "long_short"')
    assert tuple(model_of(allowed).levels) == LONG_SHORT

    with pytest.raises(ConfigurationInvalid, match=r"needs risk\.allow_short = true"):
        settings('[beliefs]\nexposures = "long_short"')


def test_an_engine_that_is_not_installed_is_an_error_that_says_what_to_do(monkeypatch):
    monkeypatch.setattr(minding, "NEEDED", ("no_such_module",))

    check_engine("numpy")
    with pytest.raises(EngineUnavailable, match=r'set beliefs\.engine = "numpy"'):
        check_engine("pymdp")


def test_a_mind_learns_only_when_it_is_told_to():
    made = [
        asleep(settings(text), tables(DEFAULT), InlinePool(), ("KO",), Path("cache")).facts()
        for text in ("", '[beliefs]\nlearning = "A"')
    ]

    assert [facts.learning for facts in made] == ["off", "A"]
    assert made[0].model_hash == digest(tables(DEFAULT)) != made[1].model_hash


def test_learning_and_automatic_promotion_exclude_each_other():
    text = '[beliefs]\nlearning = "A"\n[evolution]\npromotion = "automatic"'
    with pytest.raises(ConfigurationInvalid, match=r"not what evolution judges") as refused:
        settings(text)

    assert [problem.key for problem in refused.value.problems] == ["beliefs.learning"]
    assert 'beliefs.learning = "off"' in refused.value.problems[0].hint


@pytest.mark.parametrize("ask", [StartEvolution(), ResumeEvolution("abc")])
async def test_evolution_is_refused_while_the_mind_learns(ask, tmp_path):
    engine = SimpleNamespace(snapshot=SimpleNamespace(evolution=EvolutionState()))
    chosen = settings('[beliefs]\nlearning = "A"')
    evolving = Evolving(engine, None, None, chosen, tmp_path, None, InlinePool())
    reply = await evolving.answer(ask, SimpleNamespace(key="k", rid="RID"))

    assert (reply.status, reply.exit) == ("invalid", Exit.INVALID)
    assert 'set beliefs.learning = "off"' in reply.error.message
