import pytest
from msgspec.structs import replace

from daemon.brokers.ib.arming import LiveNotArmed
from daemon.brokers.ib.configured import GatewayImpossible, described
from daemon.permit import ReplayedLive, permit_of
from state.settings import BrokerChoice, Feed, InteractiveBrokers, Settings

SAID = "ib://me:hunter2@gateway:4001/?client_id=9&account=DU7654321"


def settings(**broker):
    ib = InteractiveBrokers(account="DU1234567")
    return Settings(broker=BrokerChoice("ib", **broker), ib=ib)


def test_without_a_connection_it_is_what_the_section_says():
    assert described(settings()) == replace(settings().ib, preview_client_id=1017)


def test_an_airflow_connection_says_where_and_who():
    told = described(settings(conn=SAID))
    assert (told.host, told.port, told.client_id) == ("gateway", 4001, 9)
    assert told.account == "DU7654321"


def test_the_connection_may_be_in_a_file(tmp_path):
    (tmp_path / "conn").write_text(SAID)
    assert described(settings(conn_file=str(tmp_path / "conn"))).host == "gateway"


@pytest.mark.parametrize(
    ("conn", "says"),
    [
        ("hunter2", "no Airflow connection"),
        ("ib://u:hunter2@h/?client_id=0", "no number above 0"),
        ("ib://u:hunter2@h/?hunter2=1", "keys too many"),
        ('{"conn_type": "ib", "extra": {"account": 7}}', "no text"),
    ],
)
def test_what_is_no_connection_is_refused_and_its_secret_kept(conn, says):
    with pytest.raises(GatewayImpossible, match=says) as refused:
        described(settings(conn=conn))
    assert "hunter2" not in str(refused.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(GatewayImpossible, match="absent"):
        described(settings(conn_file=str(tmp_path / "absent")))


def test_an_account_has_to_be_named():
    with pytest.raises(GatewayImpossible, match=r"ib\.account is empty"):
        described(replace(settings(), ib=InteractiveBrokers()))


def test_what_a_plan_asks_has_a_client_id_of_its_own():
    for taken in (19, 18):  # of orders, and of prices
        same = InteractiveBrokers(account="DU1", client_id=19, preview_client_id=taken)
        with pytest.raises(GatewayImpossible, match=rf"ib\.preview_client_id is {taken}"):
            described(replace(settings(), ib=same))
        assert described(replace(settings(), ib=replace(same, preview=False))).client_id == 19


def test_the_questions_of_daemons_with_ids_of_their_own_do_not_meet():
    asks = [
        described(replace(settings(), ib=InteractiveBrokers(account="DU1", client_id=n)))
        for n in (17, 19)
    ]
    assert [ib.preview_client_id for ib in asks] == [1017, 1019]
    by_airflow = settings(conn='{"conn_type": "ib", "extra": {"client_id": 40}}')
    assert described(by_airflow).preview_client_id == 1040
    last = InteractiveBrokers(account="DU1", client_id=2_147_483_647)
    with pytest.raises(GatewayImpossible, match="above 2,147,483,647; say it yourself"):
        described(replace(settings(), ib=last))
    assert described(replace(settings(), ib=replace(last, preview=False))).client_id == 2**31 - 1


def test_old_prices_never_trade_real_money():
    live = InteractiveBrokers(account="U1", live_account="U1")
    with pytest.raises(ReplayedLive, match="old prices"):
        permit_of(replace(settings(), ib=live), object())
    bars_of_old = Feed(kind="mqtt", clock="feed")
    with pytest.raises(ReplayedLive, match=r"feed\.clock"):
        permit_of(replace(settings(), ib=live, feed=bars_of_old), ())
    with pytest.raises(LiveNotArmed):
        permit_of(replace(settings(), ib=replace(live, live_account="")), object())
