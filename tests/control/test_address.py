"""Where both programs look for the socket, the configuration and the state."""

import pytest

from control.address import (
    AddressInvalid,
    configuration_file,
    socket_path,
    state_directory,
    unix_path,
)

HOME = {"HOME": "/home/ada"}
SESSION = HOME | {"XDG_RUNTIME_DIR": "/run/user/1000"}
EVERYTHING = SESSION | {"TM_SOCKET": "/env.sock", "TM_CONFIG": "/env.toml", "TM_STATE": "/env"}


def there(*paths):
    """A machine that has these, and nothing else."""
    return lambda path: path in paths


SYSTEM = there("/run/trade-manager", "/etc/trade-manager/config.toml", "/var/lib/trade-manager")
BARE = there()


@pytest.mark.parametrize(
    ("given", "configured", "env", "exists", "found"),
    [
        pytest.param("/a.sock", "/c.sock", EVERYTHING, SYSTEM, "/a.sock", id="what was typed"),
        pytest.param(None, "/c.sock", EVERYTHING, SYSTEM, "/env.sock", id="TM_SOCKET"),
        pytest.param(None, "/c.sock", SESSION, SYSTEM, "/c.sock", id="the configuration"),
        pytest.param(
            None, "", SESSION, SYSTEM, "/run/trade-manager/control.sock", id="the system's folder"
        ),
        pytest.param(
            None, "", SESSION, BARE, "/run/user/1000/trade-manager/control.sock", id="the session's"
        ),
        pytest.param(
            None, "", HOME, BARE, "/home/ada/.local/state/trade-manager/control.sock", id="home"
        ),
        pytest.param("unix:///a.sock", "", HOME, BARE, "/a.sock", id="as an address"),
    ],
)
def test_the_socket_is_found_by_one_rule(given, configured, env, exists, found):
    assert socket_path(given, configured, env, exists) == found


@pytest.mark.parametrize(
    ("given", "env", "exists", "found"),
    [
        ("/a.toml", EVERYTHING, SYSTEM, "/a.toml"),
        (None, EVERYTHING, SYSTEM, "/env.toml"),
        (None, SESSION, SYSTEM, "/etc/trade-manager/config.toml"),
        (
            None,
            HOME,
            there("/home/ada/.config/trade-manager/config.toml"),
            "/home/ada/.config/trade-manager/config.toml",
        ),
        (
            None,
            HOME | {"XDG_CONFIG_HOME": "/x"},
            there("/x/trade-manager/config.toml"),
            "/x/trade-manager/config.toml",
        ),
        (None, HOME, BARE, None),
    ],
)
def test_the_configuration_is_found_by_one_rule(given, env, exists, found):
    assert configuration_file(given, env, exists) == found


@pytest.mark.parametrize(
    ("given", "env", "exists", "found"),
    [
        ("/a", EVERYTHING, SYSTEM, "/a"),
        (None, EVERYTHING, SYSTEM, "/env"),
        (None, HOME, SYSTEM, "/var/lib/trade-manager"),
        (None, HOME, BARE, "/home/ada/.local/state/trade-manager"),
        (None, HOME | {"XDG_STATE_HOME": "/x"}, BARE, "/x/trade-manager"),
        (None, {}, BARE, "/.local/state/trade-manager"),
    ],
)
def test_the_state_is_found_by_one_rule(given, env, exists, found):
    assert state_directory(given, env, exists) == found


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("tcp://127.0.0.1:7000", "TCP address is control.tcp"),
        ("http://x/y", "must be unix:///PATH"),
        ("control.sock", "an absolute path"),
        ("unix://control.sock", "an absolute path"),
        ("unix://", "an absolute path"),
    ],
)
def test_an_address_that_is_none_says_what_one_is(address, says):
    with pytest.raises(AddressInvalid, match=says):
        unix_path(address)
