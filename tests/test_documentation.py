"""What the documents say is what the programs do."""

import ast
import re
from pathlib import Path

import pytest
from msgspec.structs import fields

from control.cli import COMMANDS
from control.protocol import Exit
from control.reference import reference
from control.settings_reference import BEGIN, END, meanings, settings_reference, takes, unit
from daemon.__main__ import End
from state.configuration import decode
from state.denial import Code
from state.planning import why_nothing
from state.risk import GUARDS
from state.settings import Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
REFERENCE = (ROOT / "docs/configuration.md").read_text()
KEYS = [
    f"{section.name}.{field.name}"
    for section in fields(Settings)
    for field in fields(type(getattr(Settings(), section.name)))
]


def test_the_tables_of_the_settings_are_as_their_types_say():
    assert settings_reference(REFERENCE) == REFERENCE, "run scripts/reference, and commit it"


def test_every_setting_stands_in_the_reference_once_and_in_order():
    keys = re.findall(r"^\| `([a-z_.]+)`<br>`TM_[A-Z_]+` \|", REFERENCE, re.MULTILINE)
    assert keys == KEYS


@pytest.mark.parametrize("key", KEYS)
def test_every_setting_says_what_it_takes_and_what_it_is(key):
    assert re.fullmatch(r"(?s)\S.{9,}\.", meanings()[key])
    assert takes(key)


@pytest.mark.parametrize(
    ("key", "takes_", "unit_"),
    [
        ("risk.max_day_loss", "a number from 0 to 1", "fraction"),
        ("ib.vwap_volume", "a number from 0.01 to 0.5", "fraction"),
        ("ib.port", "a whole number from 1 to 65,535", ""),
        ("paper.initial_cash", "an exact decimal: above 0", "base currency"),
        ("feed.kind", '`"replay"`, `"mqtt"`, `"ib"`', ""),
        (
            "risk.stale_after",
            'a length of time, like "90s", "15m", "2h", "1d", or "2 bars"',
            "time",
        ),
        ("replay.end", "a date, like 2019-01-31", ""),
        ("alerts.disk_free", "a whole number from 16 to 1,000,000,000", "MiB"),
        ("account.base_currency", 'a text: a currency of three capitals, like "USD"', ""),
    ],
)
def test_the_bounds_and_the_unit_come_from_the_type(key, takes_, unit_):
    assert (takes(key), unit(key)) == (takes_, unit_)


def test_the_text_around_the_tables_is_kept_and_a_table_is_written_anew():
    page = f"before\n{BEGIN.format('journal')}\nold\n{END}\nafter\n"
    written = settings_reference(page)
    assert written.startswith("before\n")
    assert written.endswith("\nafter\n")
    assert "old" not in written
    assert "`TM_JOURNAL__KEEP_REPLIES`" in written


def test_the_example_configuration_is_one_and_stands_in_the_reference():
    example = (ROOT / "deploy/example.toml").read_text()
    assert f"```toml\n{example}```" in REFERENCE
    said = decode(example, "example.toml", {})
    assert said.settings.strategy.name == "inverse_volatility"
    assert len([origin for origin in said.origins.values() if origin != "default"]) == 8


@pytest.mark.parametrize("code", [*Exit, *End])
def test_every_exit_code_is_in_the_readme(code):
    assert re.search(rf"(^\| {code} \|)|(\b{code.value} [a-z])", README, re.MULTILINE), code


@pytest.mark.parametrize("block", re.findall(r"\n\n((?:    .*\n|\n)+)", README))
def test_a_configuration_in_the_readme_is_valid(block):
    toml = "\n".join(line[4:] for line in block.splitlines())
    if toml.lstrip().startswith("["):
        decode(toml, "README.md", {})


def test_every_file_the_documents_name_exists():
    names = set()
    for page in (ROOT / "README.md", *ROOT.glob("docs/**/*.md")):
        text = page.read_text()
        names |= {(page.parent, link) for link in re.findall(r"\]\((?!http)([^)#]+)\)", text)}
        names |= {(ROOT, path) for path in re.findall(r"`((?:tests|scripts|bench)/[\w./]+)`", text)}
    assert not [f"{base / name}" for base, name in sorted(names) if not (base / name).exists()]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme(command):
    assert re.search(rf"`tm {command}\b", README)


def test_every_command_the_readme_shows_is_one():
    assert set(re.findall(r"^    tm ([a-z]+)", README, re.MULTILINE)) <= COMMANDS.keys()


def test_the_reference_of_the_commands_is_as_they_are():
    written = (ROOT / "docs/commands.md").read_text()
    assert written == reference(), "run scripts/reference, and commit what it writes"


RELIABILITY = (ROOT / "docs/reliability.md").read_text()
PROMISES = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in RELIABILITY.split("## Assumed")[0].splitlines()
    if line.startswith("| ") and not line.startswith(("| promise", "| ---"))
]


def named_in(cell):
    """The tests and benchmarks a cell names: (file, name); `::name` is of the file before it."""
    file = ""
    for found in re.findall(r"`((?:tests|bench)/[\w/]+\.py)?(?:::(\w+))?`", cell):
        file = found[0] or file
        yield file, found[1]


@pytest.mark.parametrize("row", PROMISES, ids=lambda row: row[0][:50])
def test_every_promise_names_a_test_that_exists_and_what_was_measured(row):
    promise, proof, measured = row
    named = list(named_in(proof))
    assert named, promise
    assert measured, promise
    for file, name in named:
        tree = ast.parse((ROOT / file).read_text())
        defined = {getattr(node, "name", "") for node in ast.walk(tree)}
        assert not name or name in defined, f"{file}::{name}"


def test_the_retention_names_tests_that_exist():
    for file, name in named_in(RELIABILITY.split("## Assumed")[1]):
        text = (ROOT / file).read_text()
        assert not name or f"def {name}(" in text, f"{file}::{name}"


REASONS = re.findall(
    r"^\| `([A-Z_]+)` \| (.+?) \| (.+) \|$", (ROOT / "docs/reasons.md").read_text(), re.MULTILINE
)


def skips():
    """The codes that a command is skipped with, as the sources say them."""
    for file in (ROOT / "state").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr="skip"), args=[ast.Constant(value=str(c)), *_]
                ):
                    yield c
    yield from (why_nothing({})[0], why_nothing({"KO": "no cash"})[0])


def test_every_reason_code_has_its_meaning_and_a_remedy_and_the_gates_are_in_its_order():
    codes = [code for code, _, _ in REASONS]
    assert codes[: len(Code)] == [code.value for code in Code]
    assert codes[: len(GUARDS)] == [code.value for code, _ in GUARDS]
    assert sorted(codes[len(Code) :]) == sorted(skips())


@pytest.mark.parametrize(("code", "refused", "remedy"), REASONS, ids=[r[0] for r in REASONS])
def test_the_settings_and_commands_of_a_reason_exist(code, refused, remedy):
    settings = set(re.findall(r"`((?:risk|execution|universe|replay)\.[a-z_]+)`", refused + remedy))
    assert settings <= set(KEYS)
    assert set(re.findall(r"`tm ([a-z]+)", refused + remedy)) <= COMMANDS.keys()


# What nobody may end with, or be refused by, without a hint, and its place among the values.
HINTED = {
    "deny": 3,
    "Denial": 6,
    "Unavailable": 4,
    "Fault": 3,
    "NoReply": 4,
    "SocketUnusable": 3,
    "Problem": 4,
}


def bare(call):
    """Whether a call that tells of a failure has no hint, or an empty one."""
    place = HINTED[called(call)]
    named = [k.value for k in call.keywords if k.arg == "hint"]
    hint = call.args[place - 1] if len(call.args) >= place else (named or [None])[0]
    spread = any(isinstance(value, ast.Starred) for value in call.args)
    return not spread and (hint is None or ast.unparse(hint) == "''")


def called(call):
    """The last name of what is called."""
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def test_every_failure_says_what_to_do():
    calls = [
        (file, node)
        for folder in ("state", "daemon", "control")
        for file in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and called(node) in HINTED
    ]
    assert {called(call) for _, call in calls} == HINTED.keys()
    assert not [f"{file.name}:{call.lineno}" for file, call in calls if bare(call)]


@pytest.mark.parametrize("failure", ['Fault("A", "b")', 'NoReply(e, "A", "b", "")', 'deny(c, "b")'])
def test_a_failure_without_a_hint_would_be_found(failure):
    assert bare(ast.parse(failure, mode="eval").body)
