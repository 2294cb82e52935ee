"""Every command that a document shows is one: `tm` and `tmd` take its words as they stand there."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from control.cli import Commands, app
from control.session import Given
from daemon.__main__ import parsed as taken_by_tmd

Refused = typer.BadParameter.__mro__[1]  # every misuse, of an option that is none too
ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob("deploy/**/*.md")),
]
# What may stand before a command of ours on its line, and what ends it.
BEFORE = re.compile(r"^(?:\$ )?(?:[\w./-]+/(?=tmd? )|(?:sudo|docker).* (?=tmd? ))?(?=tmd? )")
ENDS = re.compile(r"\s+(?:#|&|\||>|2>|&&|\|\|)(?:\s.*|$)|;.*")


def code(text):
    """The lines that stand as code: by four spaces, or between fences; a long line made whole."""
    fenced = False
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield line.strip()


def shown(text):
    """The commands of ours among them, as one would type them."""
    for line in code(text):
        if BEFORE.match(line):
            yield ENDS.sub("", BEFORE.sub("", line))


SHOWN = [(page, line) for page in PAGES for line in shown(page.read_text())]


def parsed(words: list[str]) -> None:
    """Let `tm` or `tmd` take words without doing anything; raise when it refuses them."""
    program, *rest = words
    if program == "tmd":
        taken_by_tmd(rest)
        return
    root: Any = typer.main.get_command(app)
    context = root.make_context("tm", [], resilient_parsing=True, obj=Given())
    command: Any = Commands.get_command(root, context, rest[0])
    assert command is not None, f"tm {rest[0]} is no command"
    below = command.make_context(rest[0], rest[1:], parent=context)
    while getattr(command, "commands", None):
        name, command, left = command.resolve_command(below, [*below._protected_args, *below.args])
        below = command.make_context(name, left, parent=below)


@pytest.mark.parametrize(
    ("page", "line"), SHOWN, ids=lambda each: each.name if isinstance(each, Path) else each[:60]
)
def test_a_command_that_is_shown_is_taken(page, line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FLEX.xml").touch()  # a statement has to be there to be read
    parsed(shlex.split(line))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("tm backup", Refused),
        ("tm stauts", AssertionError),
        ("tm plan --tll 9s", Refused),
        ("tm evolve strat", Refused),
        ("tmd --wrong x", SystemExit),
    ],
)
def test_a_command_that_is_none_would_be_found(wrong, told):
    with pytest.raises(told):
        parsed(shlex.split(wrong))


def test_commands_are_found_in_both_kinds_of_code_whatever_stands_around_them():
    text = (
        "Do:\n\n    tm status   # look\n    sudo -u tm tmd --check &\n"
        "    docker exec \\\n  x tm ping\n\n```sh\ntm plan; echo\n```\n\ntm is a program\n"
    )
    assert list(shown(text)) == ["tm status", "tmd --check", "tm ping", "tm plan"]


def test_every_page_of_the_runbook_shows_a_command():
    assert set(ROOT.glob("docs/runbook/*.md")) <= {page for page, _ in SHOWN}
