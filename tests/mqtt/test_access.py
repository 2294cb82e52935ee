"""TLS, user and password: who may connect, and to whom."""

import subprocess

import pytest

from daemon.feeds.publishing import Address, BrokerAway, How, play
from tests.mqtt.mosquitto import PROGRAM, Mosquitto, admitted
from tests.mqtt.year import START, closed, configured, prices
from tests.tmd import Tmd

SECURE = """\
allow_anonymous false
password_file {folder}/passwords
cafile {folder}/ca.pem
certfile {folder}/server.pem
keyfile {folder}/server.key
"""


def openssl(*words, folder):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def broker(tmp_path):
    if PROGRAM is None:
        pytest.skip("mosquitto is not installed: apt-get install mosquitto")
    folder = tmp_path / "broker"
    folder.mkdir()
    new = ("req", "-newkey", "rsa:2048", "-nodes", "-days", "2")
    openssl(
        *new, "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ours", folder=folder
    )
    openssl(
        *new, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=broker", folder=folder
    )
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    sign = ("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key")
    more = ("-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "server.pem")
    openssl(*sign, *more, folder=folder)
    admitted(folder / "passwords", "tm", "s3cret")
    for file in folder.iterdir():
        file.chmod(0o644)
    with Mosquitto(folder, more=SECURE.format(folder=folder)) as one:
        (folder / "password").write_text("s3cret\n")
        yield one


def secured(broker, *, password="password", ca="ca.pem"):
    folder = broker.folder
    words = f'tls = true\ntls_ca = "{folder / ca}"\nusername = "tm"\n'
    words += f'password_file = "{folder / password}"'
    return configured("mqtt", broker.port).replace("[risk]", f"{words}\n[risk]")


async def test_prices_come_over_tls_from_who_has_the_password(broker, tmp_path):
    address = Address("127.0.0.1", broker.port, username="tm", tls=True)
    ca = str(broker.folder / "ca.pem")
    with Tmd(tmp_path / "live", secured(broker)) as tmd:
        tmd.connected()
        with pytest.raises(BrokerAway):
            await play(prices(), address, How(password="wrong", ca=ca), end=START)
        await play(prices(), address, How(password="s3cret", ca=ca), start=START, end=START)
        tmd.until(lambda: closed(tmd) == START)

        assert "s3cret" not in tmd.said()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"password": "passwords"}, "uthori", id="a wrong password"),
        pytest.param({"ca": "server.pem"}, "ertificate", id="a certificate nobody vouches for"),
    ],
)
def test_a_daemon_that_may_not_connect_says_so_and_goes_on(broker, tmp_path, change, said):
    with Tmd(tmp_path / "live", secured(broker, **change)) as tmd:
        tmd.start()
        tmd.until(lambda: said in tmd.said())

        assert not tmd.data()["feed"]["connected"]


def test_a_password_file_that_is_not_there_is_a_mistake_of_the_configuration(tmp_path):
    words = 'username = "tm"\npassword_file = "/nowhere/password"\n[risk]'
    with Tmd(tmp_path, configured("mqtt").replace("[risk]", words)) as tmd:
        tmd.start()

        assert tmd.ended() == 7
        assert "mqtt.password_file" in tmd.said()
