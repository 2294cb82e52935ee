"""The mind thinks by the genome in charge, and live only by one approved as it is now."""

from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from daemon.brokers.ib.arming import approval_of_champion
from daemon.charge import Charge
from daemon.permit import Permit
from state.command import Rollback
from state.event import GenomePromoted
from state.evolved import Champion
from state.promoting import approval
from state.settings import InteractiveBrokers, Limits
from strategies.genome import DEFAULT, genome_id, genome_text
from strategies.market_model import EXPOSURES, tables
from tests.given import CLOSE, asked, funded

LEVELS = EXPOSURES["long_only"]
BRED = DEFAULT.but(gamma=99.0)


class Noted:
    """A mind that notes which models it was given."""

    def __init__(self):
        self.gammas = []
        self.forbidden = ""

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
    return mind, engine, in_charge(engine, mind, Permit(Limits()))


def in_charge(engine, mind, permit):
    return Charge(engine, mind, tables(DEFAULT, LEVELS), "long_only", permit)


def at_ib(account, approved_champion=""):
    """The permit of an account at Interactive Brokers."""
    ib = InteractiveBrokers(account=account, approved_champion=approved_champion)
    return Permit(Limits(), ib, "all but the genome")


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


async def test_with_money_of_nobody_only_what_is_as_it_was_when_it_was_promoted(desk):
    mind, engine, _ = desk
    charge = in_charge(engine, mind, at_ib("DU1234567"))
    engine.snapshot = promoted("live", approved="of another configuration")
    await charge.heed()
    assert mind.gammas == [DEFAULT["gamma"]]

    engine.snapshot = promoted("live")
    await charge.heed()
    assert mind.gammas == [DEFAULT["gamma"], 99.0]
    assert mind.forbidden == ""


async def test_a_live_account_is_not_traded_by_a_genome_that_nobody_approved_on_top(desk, caplog):
    mind, engine, _ = desk
    charge = in_charge(engine, mind, at_ib("U1234567"))
    engine.snapshot = promoted("live")
    hash_ = approval_of_champion("all but the genome", genome_text(BRED))
    await charge.heed()

    assert mind.gammas == [99.0]  # it thinks, so that nothing has to be made up for later
    assert "LIVE_NOT_ARMED" in mind.forbidden
    assert f'approved_champion = "{hash_}"' in mind.forbidden
    assert "genome_not_armed" in caplog.messages

    engine.snapshot = asked(engine.snapshot, Rollback("not now", "ann")).now
    await charge.heed()
    assert (mind.forbidden, mind.gammas[-1]) == ("", DEFAULT["gamma"])


async def test_a_live_account_is_traded_by_the_genome_that_was_approved_and_by_no_other(desk):
    mind, engine, _ = desk
    hash_ = approval_of_champion("all but the genome", genome_text(BRED))
    engine.snapshot = promoted("live", approved="of the configuration before it was approved")
    await in_charge(engine, mind, at_ib("U1234567", hash_)).heed()
    assert (mind.forbidden, mind.gammas) == ("", [99.0])

    other = approval_of_champion("all but the genome", genome_text(DEFAULT))
    await in_charge(engine, mind, at_ib("U1234567", other)).heed()
    assert "another was approved" in mind.forbidden
