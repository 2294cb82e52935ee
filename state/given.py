"""One value somebody gave: checked against its key, or refused with what to do about it."""

import tomllib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, Final

import msgspec
from msgspec.inspect import (
    BoolType,
    DateType,
    DecimalType,
    DictType,
    FloatType,
    IntType,
    LiteralType,
    StrType,
    UnionType,
    VarTupleType,
    type_info,
)
from msgspec.structs import fields

from state import bounds
from state.settings import Settings
from state.toml_lines import Path

# from the environment or a *_file only; never shown
SECRET: Final = frozenset({"broker.conn", "alerts.webhook", "alerts.ping"})
SECTIONS: Final[Mapping[str, Any]] = {field.name: field.type for field in fields(Settings)}
KEYS: Final[Mapping[str, Any]] = {
    f"{section}.{field.name}": field.type
    for section, kind in SECTIONS.items()
    for field in fields(kind)
}


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong: `origin` is FILE:LINE or the variable's name."""

    origin: str
    key: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.origin}: {self.what}" + (f"; {self.hint}" if self.hint else "")


class ConfigurationInvalid(Exception):
    """The configuration can't be used; `problems` says all that is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


class Given(msgspec.Struct, frozen=True):
    """A value somebody gave: `text` says that it came from the environment."""

    path: Path
    value: Any
    origin: str
    text: bool = False

    @property
    def key(self) -> str:
        """Return "section.key"."""
        return ".".join(self.path)


def checked(given: Given) -> Any:
    """Return a given value as its key's type; raise ConfigurationInvalid with what is wrong."""
    kind = KEYS.get(given.key)
    if kind is None:
        raise refused(given, *unknown(given))
    if given.key in SECRET and not given.text:
        variable = "TM_" + "__".join(given.path).upper()
        raise refused(
            given,
            f"{given.key} is a secret, and a configuration is no place for one",
            f"give it as {variable}, or name a file that holds it with {given.key}_file",
        )
    problem = f"{given.key} = {spelt(given)} is not {expected(type_info(kind))}"
    remedy = f"mend it, or leave it out for the default, {default(given)}"
    try:
        value = msgspec.convert(parsed(given, kind), kind, strict=not given.text)
    except (msgspec.ValidationError, ArithmeticError, OverflowError):
        raise refused(given, problem, remedy) from None
    complaint = bounds.OF_KEY.get(given.key, lambda _: None)(value)
    if complaint is None and isinstance(value, Decimal):
        complaint = bounds.exact(value)
    if complaint is not None:
        raise refused(given, f"{given.key} = {spelt(given)}: {complaint}", remedy)
    return value


def refused(given: Given, what: str, hint: str) -> ConfigurationInvalid:
    """Return the refusal of one value."""
    return ConfigurationInvalid([Problem(given.origin, given.key, what, hint)])


def unknown(given: Given) -> tuple[str, str]:
    """Return what to say of a key nobody knows: what is wrong, and the nearest that is known."""
    section, key = given.path[0], given.path[-1]
    if section in SECTIONS and len(given.path) == 1:
        return f"{section} is a section, not a value", f"write [{section}], and its keys below it"
    if section not in SECTIONS and (near := get_close_matches(section, SECTIONS, 1)):
        known = f"{near[0]}.{key}" if len(given.path) > 1 else f"[{near[0]}]"
        return f"unknown section {section}", f"did you mean {known}?"
    own = [name.split(".")[1] for name in KEYS if name.startswith(f"{section}.")]
    if near := get_close_matches(key, own, 1):
        return f"unknown key {given.key}", f"did you mean {section}.{near[0]}?"
    elsewhere = {name.split(".")[1]: name for name in reversed(list(KEYS))}
    if near := get_close_matches(key, elsewhere, 1, 0.8):
        return f"unknown key {given.key}", f"did you mean {elsewhere[near[0]]}?"
    if own:
        return f"unknown key {given.key}", f"[{section}] knows {', '.join(own)}"
    return f"unknown section {section}", f"known are {', '.join(SECTIONS)}"


def parsed(given: Given, kind: Any) -> Any:
    """Return a given value ready to be converted; a variable may hold a list or a table."""
    shape = type_info(kind)
    if not given.text or not isinstance(shape, VarTupleType | DictType):
        return given.value
    if isinstance(shape, VarTupleType) and not given.value.lstrip().startswith("["):
        return [word.strip() for word in given.value.split(",") if word.strip()]
    try:
        return tomllib.loads(f"value = {given.value}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return None  # no list and no table is None, so it is refused as what it isn't


def spelt(given: Given) -> str:
    """Return a value as its owner wrote it, cut short; a secret stays one."""
    if given.key in SECRET:
        return "***"
    value = given.value
    if isinstance(value, bool):
        return str(value).lower()
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def default(given: Given) -> str:
    """Return the default of a key, as one would write it."""
    section, key = given.path
    value = getattr(getattr(Settings(), section), key)
    return spelt(Given(("", ""), list(value) if isinstance(value, tuple) else value, ""))


def expected(kind: Any) -> str:
    """Return what a type wants, in words."""
    match kind:
        case LiteralType(values):
            return "one of " + ", ".join(f'"{value}"' for value in values)
        case FloatType() | IntType():
            noun = "a whole number" if isinstance(kind, IntType) else "a number"
            low = f"above {kind.gt}" if kind.gt is not None else f"from {kind.ge}"
            return noun if kind.le is None else f"{noun} {low} to {kind.le:,.12g}"
        case BoolType():
            return "true or false"
        case DecimalType():
            return 'an exact decimal, like "100.50"'
        case DateType():
            return "a date, like 2019-01-31"
        case StrType():
            return 'a text, like "this"'
        case VarTupleType():
            return 'a list, like ["this", "that"]'
        case DictType():
            return "a table, like { this = 1 }"
        case UnionType(types):
            return expected(types[0])
        case _:
            return "what it has to be"
