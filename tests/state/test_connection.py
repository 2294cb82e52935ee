"""Airflow's connections, in both of the forms that Airflow writes."""

import pytest

from state.connection import Connection, ConnectionInvalid, connection

LOGIN = Connection("ib", "gateway", 4002, "us@er", "p:/s?s", "paper", {"client_id": 17})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "ib://us%40er:p%3A%2Fs%3Fs@gateway:4002/paper?__extra__=%7B%22client_id%22%3A+17%7D",
            LOGIN,
        ),
        (
            '{"conn_type": "ib", "login": "us@er", "password": "p:/s?s", "host": "gateway",'
            ' "port": 4002, "schema": "paper", "extra": {"client_id": 17}}',
            LOGIN,
        ),
        (
            ' {"conn_type": "ib", "host": "h", "port": "7", "extra": "{\\"a\\": \\"b\\"}"}\n',
            Connection("ib", "h", 7, extra={"a": "b"}),
        ),
        ("google-cloud-platform://?key=v", Connection("google_cloud_platform", extra={"key": "v"})),
        ("ib://h", Connection("ib", "h")),
    ],
)
def test_it_is_read(text, found):
    assert connection(text) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "neither"),
        ("hunter2", "neither"),
        ("{hunter2", "begins like JSON"),
        ('{"login": "hunter2"}', "conn_type is missing"),
        ('{"conn_type": "ib", "password": ["hunter2"]}', "password is no text"),
        ("ib://u:hunter2@h:hunter2", "can't be read"),
        ("ib://u:hunter2@h:0", "port is not"),
        ('{"conn_type": "ib", "port": true}', "port is not"),
        ('{"conn_type": "ib", "extra": "hunter2"}', "extra is no JSON object"),
        ("ib://[hunter2", "can't be read"),
        ("x" * 100_000, "longer than"),
    ],
)
def test_what_it_is_not_is_said_without_a_word_of_it(text, said):
    with pytest.raises(ConnectionInvalid, match=said) as refused:
        connection(text)
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_its_secrets_are_not_in_what_a_log_would_show():
    shown = f"{LOGIN!r} {LOGIN}"

    assert "p:/s?s" not in shown
    assert "us@er" not in shown
