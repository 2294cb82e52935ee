from operator import attrgetter

import pytest

from daemon.brokers.ib.gateway import Address, Gateway
from tests.ib.gateway.domain import FillPlan
from tests.ib.gateway.server import FakeIBGateway

ACCOUNT = "DU1234567"
by_letters = attrgetter("symbol")  # a contract's, where nothing was qualified


@pytest.fixture
async def fake():
    async with FakeIBGateway(fill_plan=FillPlan(parts=(0.5, 0.5), delay=0.01)) as gateway:
        yield gateway


@pytest.fixture
async def connections(fake):
    """Make connections to the fake; each is closed at the end."""
    made = []

    def connection(client_id=7, patience=5.0, account=ACCOUNT):
        made.append(Gateway(Address("127.0.0.1", fake.port, client_id, account), patience))
        return made[-1]

    yield connection
    for one in made:
        one.close("the test is over")
