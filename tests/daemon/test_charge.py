"""The mind thinks by the genome in charge, and live only by one approved as it is now."""

from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from daemon.charge import Charge
from state.command import Rollback
from state.event import GenomePromoted
from state.evolved import Champion
from state.promoting import approval
from strategies.genome import DEFAULT, genome_id, genome_text
from strategies.market_model import EXPOSURES, tables
from tests.given import CLOSE, asked, funded

LEVELS = EXPOSURES["long_only"]
BRED = DEFAULT.but(gamma=99.0)


class Noted:
    """A mind that notes which models it was given."""

    def __init__(self):
        self.gammas = []

    async def become(self, model):
        self.gammas.append(model.gamma)


def promoted(mode, approved=None):
    """A snapshot in which a genome was put in charge."""
    now = funded()
    now = replace(now, start=replace(now.start, mode=mode))
    text = genome_text(BRED)
    hash_ = approval(now, text) if approved is None else approved
    champion = Champion(genome_id(BRED), text, "r1", hash_, "ann", "it passed", CLOSE)
    return asked_for(now, GenomePromoted(champion, CLOSE))


def asked_for(now, event):
    from state.apply import apply

    return apply(now, event)


@pytest.fixture
def desk():
    mind, engine = Noted(), SimpleNamespace(snapshot=funded())
    return mind, engine, Charge(engine, mind, tables(DEFAULT, LEVELS), "long_only")


async def test_nobody_in_charge_leaves_the_configured_genome(desk):
    mind, _, charge = desk
    await charge.heed()

    assert mind.gammas == []


async def test_who_was_promoted_is_thought_by_from_then_on_and_once(desk):
    mind, engine, charge = desk
    engine.snapshot = promoted("paper")
    await charge.heed()
    await charge.heed()

    assert mind.gammas == [99.0]


async def test_a_rollback_brings_the_configured_genome_back(desk):
    mind, engine, charge = desk
    engine.snapshot = promoted("replay")
    await charge.heed()
    engine.snapshot = asked(engine.snapshot, Rollback("worse", "ann")).now
    await charge.heed()

    assert mind.gammas == [99.0, DEFAULT["gamma"]]


async def test_live_only_what_was_approved_as_it_is_now(desk):
    mind, engine, charge = desk
    engine.snapshot = promoted("live", approved="of another configuration")
    await charge.heed()
    assert mind.gammas == [DEFAULT["gamma"]]

    engine.snapshot = promoted("live")
    await charge.heed()
    assert mind.gammas == [DEFAULT["gamma"], 99.0]
