"""The daemon's own process on a gateway over TCP, as it is run: the broker is the only thing fake.

Each ends ready, or says what is wrong, within the seconds that the documentation states.
"""

import pytest

from control.protocol import Health
from state.command import Halt, Rebalance
from tests.ib.desk import Desk, gateway
from tests.ib.gateway.domain import FillPlan
from tests.ib.stated import READY_AGAIN, SAID, SERVERS_BACK


@pytest.fixture
def made():
    with gateway() as one:
        yield one


@pytest.fixture
def desk(tmp_path, made):
    with Desk(tmp_path / "desk", made.port) as one:
        yield one


def connections(desk):
    return desk.said().count('"ib_connected"')


def rebalanced(desk, made, key="k"):
    """Rebalance, and return once the gateway did what was asked."""
    reply = desk.ask(Rebalance(), key=key)
    assert reply.ok, reply
    desk.until(lambda: desk.agrees_with(made))
    assert made.truth().duplicates() == {}
    return reply


def test_a_rebalance_fills_and_the_books_are_the_gateways(desk, made):
    reply = rebalanced(desk.trading(), made)

    assert len(desk.orders()) == len(reply.data["lines"]) == 2
    assert {order["status"] for order in desk.orders()} == {"filled"}
    assert sum(float(order["fees"]) for order in desk.orders()) > 0


def test_killed_between_send_and_acknowledgement_it_has_one_order_of_each(tmp_path):
    with (
        gateway(fill_plan=FillPlan(ack_delay=3.0)) as made,
        Desk(tmp_path / "desk", made.port) as desk,
    ):
        desk.trading()
        first = desk.ask(Rebalance(), key="k")
        desk.until(lambda: len(made.truth().received) == 2)
        unacknowledged = [order["status"] for order in desk.orders()]
        desk.kill()

        desk.start().ready()
        again = desk.ask(Rebalance(), key="k")
        desk.until(lambda: desk.agrees_with(made))

        assert unacknowledged == ["sending", "sending"]
        assert (again.command_id, again.replayed) == (first.command_id, True)
        assert len(made.truth().orders) == 2
        assert made.truth().duplicates() == {}


def test_the_nightly_restart_that_rolls_ids_back_costs_nothing(desk, made):
    rebalanced(desk.trading(), made)
    made.set_price("KO", 41.0)
    used = max(order["broker_id"] for order in desk.orders())
    count = connections(desk)

    made.next_id.clear()  # the next connection is offered the numbers that were used
    made.restart(1.0)

    desk.until(lambda: connections(desk) > count and desk.ask(Health()).ok, READY_AGAIN)
    assert max(order["broker_id"] for order in desk.orders()) == used
    desk.until(lambda: desk.agrees_with(made))

    assert desk.ask(Halt(flatten=True, reason="new numbers are wanted"), key="f").ok
    desk.until(lambda: len(made.truth().received) == 4 and desk.agrees_with(made))
    numbers = [received.order_id for received in made.truth().received]
    assert len(set(numbers)) == 4
    assert [received.outcome for received in made.truth().received] == ["new"] * 4
    assert made.truth().duplicates() == {}
    assert desk.books()["positions"] == []


@pytest.mark.parametrize("data_lost", [True, False], ids=["1101", "1102"])
def test_after_the_gateway_lost_its_servers_the_books_are_compared_again(desk, made, data_lost):
    rebalanced(desk.trading(), made)

    made.connectivity_lost()
    desk.until(lambda: not desk.ask(Health()).ok)
    made.connectivity_restored(data_lost=data_lost)

    desk.until(lambda: desk.ask(Health()).ok, SERVERS_BACK)
    assert "ib_compares_again" in desk.said()
    assert connections(desk) == 1


def test_a_client_id_in_use_is_waited_for(desk, made):
    made.hold_client_id(17, 600.0)
    desk.start().until(lambda: desk.ask(Health()))
    desk.until(lambda: "client id 17 is in use" in desk.said(), SAID)
    assert "the ib broker is not connected" in desk.ask(Health()).error.message

    made.hold_client_id(17, 0.0)
    desk.until(desk.ready_to_trade, READY_AGAIN)


@pytest.mark.nightly  # it waits for the library's own patience; `test_gateway` hangs one by day
def test_a_gateway_that_accepts_and_never_answers_is_no_end(desk, made):
    answer_again = made.hang_handshake()
    desk.start().until(lambda: desk.ask(Health()))
    desk.until(lambda: "no gateway at" in desk.said(), SAID)
    assert "the ib broker is not connected" in desk.ask(Health()).error.message
    assert not desk.data()["broker"]["connected"]

    made.call(answer_again)
    desk.until(desk.ready_to_trade, READY_AGAIN)


@pytest.mark.parametrize(
    ("broker", "client"), [("ib", 17), pytest.param("paper", 18, marks=pytest.mark.nightly)]
)
def test_prices_of_a_gateway_come_over_one_connection(tmp_path, made, broker, client):
    with Desk(tmp_path / "desk", made.port) as desk:
        text = desk.file.read_text().replace('kind = "ib"', f'kind = "{broker}"')
        desk.file.write_text(text + '[feed]\nkind = "ib"\n')
        now = desk.start().until(lambda: desk.ready_to_trade() and desk.data())

        assert now["feed"]["kind"] == "ib"
        assert now["feed"]["connected"]
        assert {ses.client_id for ses in made.sessions} == {client}
        assert now["mode"] == ("live" if broker == "ib" else "paper")
        assert "ib_history_unanswered" not in desk.said()
