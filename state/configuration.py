"""The configuration: a TOML text and the environment in, checked settings and origins out."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Final

import msgspec
from msgspec.structs import fields

from state import bounds
from state.given import KEYS, SECRET, SECTIONS, ConfigurationInvalid, Given, Problem, checked
from state.settings import Settings
from state.toml_lines import key_lines, line_of

DEFAULT: Final = "default"

DEMO: Final = """\
# Real closes of 20 stocks from 2019 on, an embedded broker, nothing to install or to fill in.
# The limits are wide enough that nothing trips by itself through 2022.
[account]
id = "DEMO"

[replay]
file = "bundled"
start = 2019-01-01
pace = 4.0

[paper]
initial_cash = "1000000"
commission_bps = 1.0
slippage_bps = 2.0

[strategy]
name = "active_inference"

[risk]
max_day_loss = 0.2
max_day_turnover = 1.0
max_drawdown = 0.5
"""


class Effective(msgspec.Struct, frozen=True):
    """What is in force: `origins` maps "section.key" to "default", FILE:LINE or a variable."""

    settings: Settings
    origins: Mapping[str, str]


def decode(text: str, path: str, env: Mapping[str, str]) -> Effective:
    """Return what the file `path` holding `text` and the variables of `env` say together.

    Raises ConfigurationInvalid with every problem found. Files named by `*_file` keys are for the
    caller to read.
    """
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    origins = dict.fromkeys(KEYS, DEFAULT)
    for given in (*in_file(text, path), *in_environment(env)):
        try:
            values[given.key] = checked(given)
            origins[given.key] = given.origin
        except ConfigurationInvalid as e:
            problems += e.problems
    settings = Settings(
        **{
            section: kind(
                **{
                    field.name: values[f"{section}.{field.name}"]
                    for field in fields(kind)
                    if f"{section}.{field.name}" in values
                }
            )
            for section, kind in SECTIONS.items()
        }
    )
    problems += [
        Problem(origins[key], key, f"{key}: {what}", hint)
        for key, what, hint in bounds.together(settings)
    ]
    if problems:
        raise ConfigurationInvalid(problems)
    return Effective(settings, origins)


def shown(effective: Effective) -> dict[str, dict[str, Any]]:
    """Return each key's value as plain JSON and its origin; secrets that are set become "***"."""
    plain = msgspec.to_builtins(effective.settings)
    return {
        key: {
            "value": "***" if key in SECRET and plain[section][name] else plain[section][name],
            "origin": origin,
        }
        for key, origin in effective.origins.items()
        for section, name in [key.split(".")]
    }


def fingerprint(settings: Settings) -> str:
    """Return 16 hexadecimal digits that change when any setting but a secret does."""
    plain = msgspec.to_builtins(settings)
    for key in SECRET:
        section, name = key.split(".")
        del plain[section][name]
    return blake2b(msgspec.json.encode(plain, order="deterministic"), digest_size=8).hexdigest()


def in_file(text: str, path: str) -> Iterator[Given]:
    """Yield what the text of a file gives."""
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as e:
        found = re.fullmatch(r"(?P<what>.*) \(at line (?P<line>\d+), column \d+\)", str(e))
        line = found["line"] if found else text.count("\n") + 1
        what = f"not TOML: {found['what'] if found else e}"
        raise ConfigurationInvalid(
            [Problem(f"{path}:{line}", "", what, "mend that line")]
        ) from None
    except RecursionError:
        what, hint = "nested too deeply", "a section holds plain values"
        raise ConfigurationInvalid([Problem(f"{path}:1", "", what, hint)]) from None
    lines = key_lines(text)
    for section, content in document.items():
        if section in SECTIONS and isinstance(content, dict):
            for key, value in content.items():
                at = line_of(lines, (section, key))
                yield Given((section, key), value, f"{path}:{at}")
        else:
            yield Given((section,), content, f"{path}:{line_of(lines, (section,))}")


def in_environment(env: Mapping[str, str]) -> Iterator[Given]:
    """Yield what TM_SECTION__KEY variables give."""
    for name in sorted(env):
        if name.startswith("TM_") and "__" in name:
            section, _, key = name.removeprefix("TM_").lower().partition("__")
            yield Given((section, key), env[name], name, text=True)
