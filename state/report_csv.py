"""A report as one table of `section,item,field,value`, which any spreadsheet reads and pivots."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from typing import Any, Final

import msgspec

from state.report import Report

HEAD: Final = ("section", "item", "field", "value")
DANGEROUS: Final = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for a formula

Row = tuple[str, str, str, str]


def to_csv(told: Report) -> str:
    """Return the report's figures, exact as in the JSON; empty values are figures it lacks."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEAD)
    for section, value in msgspec.to_builtins(told, order="deterministic").items():
        if section == "exposure":
            writer.writerows(exposures(value))
        else:
            writer.writerows(rows(section, value))
    return text.getvalue()


def rows(section: str, value: object) -> Iterator[Row]:
    """Yield what one part of a report holds, whatever its form."""
    if isinstance(value, Mapping):
        for field, each in value.items():
            if isinstance(each, Mapping | list | tuple):
                yield from rows(f"{section}.{field}", each)
            else:
                yield section, "", field, cell(each)
    elif isinstance(value, list | tuple):
        for n, each in enumerate(value, 1):
            if isinstance(each, Mapping):
                for field, figure in each.items():
                    yield section, str(n), field, cell(figure)
            elif isinstance(each, list | tuple):
                yield section, cell(each[0]), "", cell(each[1])
            else:
                yield section, str(n), "", cell(each)
    else:
        yield "report", "", section, cell(value)


def exposures(held: Mapping[str, Sequence[Any]]) -> Iterator[Row]:
    """Yield a row for each moment and what was held then."""
    for at, gross, net, weights in zip(
        held["at"], held["gross"], held["net"], held["weights"], strict=True
    ):
        yield "exposure", at, "gross", cell(gross)
        yield "exposure", at, "net", cell(net)
        for symbol, weight in zip(held["symbols"], weights, strict=True):
            if weight:
                yield "weight", at, symbol, cell(weight)


def cell(value: object) -> str:
    """Return a value as text; people write reasons, and none may become a formula."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    if isinstance(value, str) and text.startswith(DANGEROUS) and not number(text):
        return "'" + text
    return text


def number(text: str) -> bool:
    """Return whether text is a plain decimal."""
    return text.lstrip("-").replace(".", "", 1).isdigit()
