"""What Tab offers: as a shell's function asks for it, then through each of the three shells."""

import os
import shutil
import socket
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from control.cli import COMMANDS
from control.protocol import Exit
from tests.control.samples import REPLIES, done, failing
from tests.control.scripted import saying, serving
from tests.control.terminal import tm

SYMBOLS = ["AAPL", "KO", "KO.B", "two words"]
CONFIGURED = {"universe.symbols": {"value": SYMBOLS, "origin": "file"}}
ASKING = {"_TM_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
SHELLS = ["bash", "zsh", "fish"]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    replies = REPLIES | {"config_show": done("config show", CONFIGURED)}
    with serving(tmp_path_factory.mktemp("run") / "control.sock", saying(**replies)) as running:
        yield running.path


def offered(typed: str, path: str) -> dict[str, str]:
    """What is offered for a line that ends where it was typed to, and what is said beside it."""
    ran = tm(env={**ASKING, "_TYPER_COMPLETE_ARGS": typed, "TM_SOCKET": path})
    assert ran.exit == 0
    return dict(line.partition("\t")[::2] for line in ran.merged.splitlines() if line)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("tm cancel ", {"RID.0": "buy 1200 AAPL, live"}),
        ("tm cancel X", {}),
        ("tm approve ", {"cok54ho4r44h": "open"}),
        ("tm reject c", {"cok54ho4r44h": "open"}),
        ("tm execute ", {"cok54ho4r44h": "open"}),
        ("tm explain ", {"halt", "cok54ho4r44h", "RID.0", "k"}),
        ("tm wait ", {"k": "a command's key"}),
        ("tm resume --scope ", {"account": "drill"}),
        ("tm halt --scope ", {"account", "symbol:AAPL", "symbol:KO", "symbol:KO.B"}),
        ("tm halt --scope symbol:K", {"symbol:KO", "symbol:KO.B"}),
        ("tm halt --scope=symbol:A", {"symbol:AAPL"}),
        ("tm order buy K", {"KO", "KO.B"}),
        ("tm beliefs A", {"AAPL"}),
        ("tm reconcile expect --symbol A", {"AAPL"}),
        ("tm plan --only AAPL,", {"AAPL,KO", "AAPL,KO.B"}),
        ("tm rebalance --only K", {"KO", "KO.B"}),
        ("tm evolve show ", {"run1": "finished"}),
        ("tm strategy show ", {"5eed5eed5eed5eed": "candidate of run1"}),
        ("tm limits set max", {"max_gross=": "now 0.8"}),
        ("tm limits set max_gross=1 max", {"max_gross="}),
        ("tm report --period m", {"mtd"}),
        ("tm evolve w", {"wait"}),
        ("tm halt --rea", {"--reason"}),
        ("tm reb", {"rebalance"}),
    ],
)
def test_tab_offers_what_there_is(daemon, typed, found):
    if isinstance(found, dict):
        assert offered(typed, daemon) == found
    else:
        assert offered(typed, daemon).keys() == found


def test_every_command_is_offered_with_what_it_does(daemon):
    found = offered("tm ", daemon)
    assert found.keys() == COMMANDS.keys()
    assert all(found.values())


def test_a_socket_named_before_is_the_one_that_is_asked(daemon, tmp_path):
    typed = f"tm cancel --socket {daemon} "
    assert offered(typed, str(tmp_path / "none.sock")).keys() == {"RID.0"}


@pytest.mark.parametrize(
    "typed", ["tm cancel ", "tm explain h", "tm halt --scope ", "tm order buy "]
)
def test_with_no_daemon_nothing_is_said_of_it(tmp_path, typed):
    dead = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(dead))  # a daemon that was killed leaves its file
    expected = {"tm explain h": {"halt"}, "tm halt --scope ": {"account"}}.get(typed, set())

    for path in (dead, tmp_path / "none.sock"):
        assert offered(typed, str(path)).keys() == expected


@pytest.mark.parametrize("exit_", [Exit.NOT_READY, Exit.NOT_AUTHORISED, Exit.INTERNAL])
def test_a_daemon_that_refuses_offers_nothing(tmp_path, exit_):
    async def refuse(request, principal):
        return failing(exit_)

    with serving(tmp_path / "control.sock", refuse) as running:
        assert offered("tm cancel ", running.path) == {}
        assert offered("tm order sell ", running.path) == {}


def test_a_daemon_that_hangs_is_waited_for_a_second(tmp_path, monkeypatch):
    monkeypatch.setattr("control.offers.WITHIN", 0.1)
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(tmp_path / "mute.sock"))
        mute.listen()
        assert offered("tm cancel ", str(tmp_path / "mute.sock")) == {}


@pytest.mark.parametrize("shell", SHELLS)
def test_the_command_prints_the_script(shell):
    ran = tm("completion", shell)
    assert ran.exit == 0
    assert ran.merged == files("control").joinpath("shells", f"tm.{shell}").read_text("utf-8")
    assert tm("completion", shell, "--json").envelope["data"]["shell"] == shell


# What a shell has at hand when it calls the function, and how to see what the function answered.
DRIVEN = {
    "bash": """
        source "$SCRIPT"
        COMP_LINE="$TYPED" COMP_POINT=${#TYPED}
        COMP_WORDS=(tm) COMP_CWORD=1
        _tm_completion
        printf '%s\\n' "${COMPREPLY[@]}"
    """,
    "zsh": """
        compdef() { print -r -- "compdef $*" >&2 }
        _describe() { print -rl -- "${(@P)2}" }
        _files() { print -r -- files }
        source "$SCRIPT"
        words=("${(@s: :)TYPED}") CURRENT=$#words
        _tm
    """,
    "fish": """
        source $SCRIPT
        complete --do-complete $TYPED
    """,
}
SEEN = {  # fish tells the same as the program; zsh is told the colons that separate from the others
    ("tm cancel ", "bash"): ["RID.0"],
    ("tm cancel ", "zsh"): ["RID.0:buy 1200 AAPL, live"],
    ("tm cancel ", "fish"): ["RID.0\tbuy 1200 AAPL, live"],
    ("tm halt --scope symbol:A", "bash"): ["AAPL"],
    ("tm halt --scope symbol:A", "zsh"): [r"symbol\:AAPL"],
    ("tm halt --scope symbol:A", "fish"): ["symbol:AAPL"],
}


@pytest.mark.parametrize(("typed", "shell"), SEEN)
def test_in_each_shell(daemon, typed, shell):
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    plain = {"bash": ["--norc", "-c"], "zsh": ["-f", "-c"], "fish": ["--no-config", "-c"]}[shell]
    ran = subprocess.run(
        [program, *plain, DRIVEN[shell]],
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "SCRIPT": str(files("control").joinpath("shells", f"tm.{shell}")),
            "TYPED": typed,
            "TM_SOCKET": daemon,
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert ran.stdout.splitlines() == SEEN[typed, shell]
    assert not ran.stderr.replace("compdef _tm tm\n", "")
