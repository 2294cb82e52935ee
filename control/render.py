"""Reply data as people read it: aligned tables, plain numbers, times in the market's zone."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

NOTHING: Final = "-"
CODES: Final = {"bold": "1", "red": "31", "green": "32", "yellow": "33", "dim": "2"}

Row = Sequence[str]
Data = Mapping[str, Any]


class Ink(msgspec.Struct, frozen=True):
    """How to write: with colour or without, and in which time zone."""

    colour: bool = False
    zone: str = "America/New_York"

    def styled(self, text: str, style: str) -> str:
        """Return `text` in a style, plain where there is no colour."""
        return f"\x1b[{CODES[style]}m{text}\x1b[0m" if self.colour and text else text

    def when(self, moment: str | None) -> str:
        """Return an ISO 8601 moment in the market's zone, to the second."""
        if not moment:
            return NOTHING
        from datetime import datetime
        from zoneinfo import ZoneInfo

        local = datetime.fromisoformat(moment).astimezone(ZoneInfo(self.zone))
        return local.strftime("%Y-%m-%d %H:%M:%S %Z")


def width(text: str) -> int:
    """Return how many columns `text` takes, styles not counted."""
    if "\x1b" not in text:
        return len(text)
    import re

    return len(re.sub(r"\x1b\[[0-9]*m", "", text))


def table(headings: Row, rows: Iterable[Row], ink: Ink, left: int = 1) -> str:
    """Return rows below headings; all but the `left` first columns are aligned to the right."""
    body = [list(row) for row in rows]
    if not body:
        return "none"
    lines = [list(headings), *body]
    widths = [max(width(row[column]) for row in lines) for column in range(len(headings))]

    def written(row: Row) -> str:
        cells = [
            text + " " * gap if column < left else " " * gap + text
            for column, text in enumerate(row)
            for gap in [widths[column] - width(text)]
        ]
        return "  ".join(cells).rstrip()

    return "\n".join([ink.styled(written(headings), "bold"), *map(written, body)])


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Return names and values in two columns."""
    known = [(name, value) for name, value in pairs if value]
    longest = max((len(name) for name, _ in known), default=0)
    return "\n".join(f"{name.ljust(longest)}  {value}" for name, value in known)


def money(value: str | None) -> str:
    """Return an exact decimal with its thousands apart and at least two decimals."""
    if value is None:
        return NOTHING
    amount = Decimal(value)
    decimals = max(2, -int(amount.as_tuple().exponent))
    return f"{amount:,.{decimals}f}"


def rounded(value: str | None) -> str:
    """Return an exact decimal rounded to cents, for a table whose readers compare sizes."""
    return NOTHING if value is None else f"{Decimal(value):,.2f}"


def count(value: str | None) -> str:
    """Return a quantity with its thousands apart, and only the decimals it has."""
    return NOTHING if value is None else f"{Decimal(value):,f}"


def percent(value: float | None, decimals: int = 2) -> str:
    """Return a fraction as per cent."""
    return NOTHING if value is None else f"{value * 100:,.{decimals}f} %"


def number(value: float | None, decimals: int = 2) -> str:
    """Return a statistic."""
    return NOTHING if value is None else f"{value:,.{decimals}f}"


def text(value: object) -> str:
    """Return a word, or a dash for none."""
    return NOTHING if value is None or value == "" else str(value)
