import asyncio

import pytest

from daemon.brokers.ib.gateway import Address, ClientIdInUse, Gateway, State
from daemon.brokers.ib.recording import Message
from daemon.brokers.ib.recovery_reads import book
from daemon.seams import BrokerUnavailable
from tests.ib.awaiting import until
from tests.ib.conftest import ACCOUNT, by_letters
from tests.ib.gateway.replaying import Replaying


async def test_a_connection_is_ready_only_when_the_books_were_compared(connections):
    gateway = connections()
    await gateway.connect()
    await gateway.probe()
    assert gateway.state is State.CONNECTED
    await book(gateway, by_letters)
    gateway.compared()
    assert gateway.state is State.READY


async def test_a_client_id_in_use_is_said_at_once(fake, connections):
    fake.hold_client_id(7)
    gateway = connections(patience=60.0)
    async with asyncio.timeout(10):
        with pytest.raises(ClientIdInUse, match="client id 7 is in use"):
            await gateway.connect()
    assert gateway.state is State.DOWN


async def test_one_that_refuses_the_client_id_and_keeps_the_line_open_is_let_go():
    told = [
        Message(1, "client", 0.0, ("v157..178",)),
        Message(1, "gateway", 0.0, ("178", "20260304 12:00:00 EST")),
        Message(1, "client", 0.0, ("71", "2", "7", "")),
        Message(1, "gateway", 0.0, ("4", "2", "-1", "326", "client id is already in use", "")),
    ]
    played = await Replaying(told).start()
    gateway = Gateway(Address("127.0.0.1", played.port, 7, ACCOUNT), 30.0)
    with pytest.raises(ClientIdInUse):
        await gateway.connect()
    assert gateway.state is State.DOWN
    await played.stop()


async def test_a_gateway_that_accepts_and_never_answers_is_given_up(fake, connections):
    fake.hang_handshake()
    with pytest.raises(BrokerUnavailable, match="no gateway at"):
        await connections(patience=0.2).connect()


async def test_nobody_listening_is_no_gateway(fake, connections):
    gateway = connections()
    await fake.stop()
    with pytest.raises(BrokerUnavailable, match="no gateway at"):
        await gateway.connect()


async def test_asked_in_the_moment_in_which_the_line_broke_it_is_unavailable(connections):
    gateway = connections()
    await gateway.connect()
    gateway.ib.client.disconnect()
    with pytest.raises(BrokerUnavailable, match="did not answer about the time"):
        await gateway.probe()
    assert gateway.state is State.DOWN


async def test_an_account_the_gateway_does_not_have_is_refused(connections):
    gateway = connections(account="DU7654321")
    with pytest.raises(BrokerUnavailable, match="has no DU7654321"):
        await gateway.connect()
    assert gateway.state is State.DOWN


@pytest.mark.parametrize("data_lost", [True, False])
async def test_upstream_lost_and_back_has_to_be_compared_again(fake, connections, data_lost):
    gateway = connections()
    await gateway.connect()
    gateway.compared()
    fake.connectivity_lost()
    await until(lambda: gateway.state is State.UPSTREAM_LOST)
    gateway.compared()
    assert gateway.state is State.UPSTREAM_LOST
    fake.connectivity_restored(data_lost=data_lost)
    await until(lambda: gateway.state is State.CONNECTED)


async def test_a_closed_socket_is_down(fake, connections):
    gateway = connections()
    await gateway.connect()
    fake.drop(7)
    await until(gateway.gone.is_set)  # without anybody asking
    assert gateway.state is State.DOWN


async def test_a_probe_without_an_answer_is_down(fake, connections):
    gateway = connections(patience=0.3)
    await gateway.connect()
    thaw = fake.freeze(7)
    with pytest.raises(BrokerUnavailable, match="did not answer about the time"):
        await gateway.probe()
    assert gateway.state is State.DOWN
    thaw()
