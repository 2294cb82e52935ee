"""The tables of docs/configuration.md, written from the settings' types."""

import ast
import inspect
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Final, get_args, get_origin

import msgspec
from msgspec.inspect import DateType, LiteralType, UnionType, type_info
from msgspec.structs import fields

from state import bounds, settings
from state.given import KEYS, SECTIONS, expected

BEGIN: Final = "<!-- from state/settings.py by scripts/reference: {} -->"
END: Final = "<!-- end -->"
PLACE: Final = re.compile(
    re.escape(BEGIN).replace(r"\{\}", r"(?P<section>\w+)") + r"\n.*?" + re.escape(END), re.DOTALL
)
# What a text or an amount has to be is asked of the check itself, with what can't be right.
WRONG: Final[Mapping[str, Any]] = {"an exact decimal": Decimal(-1), "a text": "\n"}
SPAN: Final = 'a length of time, like "90s", "15m", "2h", "1d"'
SPANS: Final[Mapping[Any, str]] = {
    bounds.time: SPAN,
    bounds.time_or_never: f'{SPAN}, or ""',
    bounds.age: f'{SPAN}, or "2 bars"',
}


def settings_reference(page: str) -> str:
    """Return a page with each place of a table filled anew; what stands around them is kept."""
    return PLACE.sub(lambda place: table(place["section"]), page)


def table(section: str) -> str:
    """Return one section's table between its marks."""
    lines = [
        BEGIN.format(section),
        "",
        "| key, and its variable | takes | unit | default | what |",
        "| --- | --- | --- | --- | --- |",
        *rows(section),
        "",
        END,
    ]
    return "\n".join(lines)


def rows(section: str) -> Iterator[str]:
    """Yield the row of each key of a section."""
    means, plain = meanings(), msgspec.to_builtins(settings.Settings())[section]
    for field in fields(SECTIONS[section]):
        key = f"{section}.{field.name}"
        variable = f"TM_{section}__{field.name}".upper()
        default = f"`{written(plain[field.name])}`"
        cells = (f"`{key}`<br>`{variable}`", takes(key), unit(key), default, means[key])
        yield f"| {' | '.join(cells)} |"


def meanings() -> dict[str, str]:
    """Return what each key means: the text below it in its type."""
    classes = {
        node.name: node
        for node in ast.parse(inspect.getsource(settings)).body
        if isinstance(node, ast.ClassDef)
    }
    found = {}
    for section, kind in SECTIONS.items():
        body = classes[kind.__name__].body
        for field, below in pairwise(body):
            match field, below:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    found[f"{section}.{name}"] = " ".join(text.split())
    return found


def unit(key: str) -> str:
    """Return a key's unit, or nothing where it has none."""
    if get_origin(KEYS[key]) is not Annotated:
        return ""
    return next((each for each in get_args(KEYS[key])[1:] if isinstance(each, str)), "")


def takes(key: str) -> str:
    """Return what a key may be: its choices, or its type and bounds."""
    kind, check = type_info(KEYS[key]), bounds.OF_KEY.get(key)
    if isinstance(kind, LiteralType):
        return ", ".join(f"`{written(value)}`" for value in get_args(KEYS[key]))
    if check in SPANS:
        return SPANS[check]
    words = expected(kind)
    noun = words.split(", like")[0]
    if noun in WRONG and check is not None:
        complaint = re.sub(r"^must (be |have )?", "", check(WRONG[noun]) or "")
        complaint = complaint.replace("begin with", "beginning with")
        return f"{noun}: {complaint}" if complaint else noun
    return words if isinstance(kind, UnionType | DateType) else noun


def written(value: Any) -> str:
    """Return a plain value as TOML would have it."""
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case list() | tuple() | dict():
            return "{}" if isinstance(value, dict) else "[]"
        case _:
            return str(value)
