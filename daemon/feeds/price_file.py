"""Daily prices out of a file of CSV or Parquet: closes side by side, or one bar a row."""

import difflib
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

import numpy as np

from daemon.feeds.prices import MISSING, ODD, Micros, PriceFileInvalid, PriceTable, in_micros
from daemon.feeds.sheet import Sheet, listed, read_sheet
from state.instrument import Symbol

DATE: Final = ("date", "day", "session", "datetime", "timestamp", "time", "", "__index_level_0__")
SYMBOL: Final = ("symbol", "ticker")
FIELDS: Final = ("close", "open", "high", "low", "volume")


def read_prices(
    file: Path, symbols: Sequence[Symbol] = (), *, fewest: int = 1, source: str = ""
) -> PriceTable:
    """Return the prices of `symbols`, in that order, or of all that the file holds.

    Two shapes are known by their header. `date,AAPL,KO,…` has closes side by side; a file with a
    column `close` has one bar a row, `date[,symbol],open,high,low,close[,adj close],volume`, by
    day or by symbol, and without a symbol column is of the one its name says. Either may have the
    newest day first. Adjusted closes are not read. An empty cell is a day without a price. Numbers
    that no price can have are kept, for the check on the way in to refuse and count. Raises
    PriceFileInvalid: unreadable, a cell or a row that is none, an unknown symbol, fewer than
    `fewest` rows.
    """
    sheet = read_sheet(file, source or str(file))
    if not sheet.lines:
        raise PriceFileInvalid(sheet.source, "there are no prices in it, only a header")
    when = sheet.place(*DATE)
    if when is None:
        raise PriceFileInvalid(
            sheet.source, f"no column 'date'; its columns are {listed(sheet.names)}"
        )
    days = _days(sheet, when)
    of = sheet.place(*SYMBOL)
    by_bar = sheet.place("close") is not None
    names = (
        _names(sheet, of) if by_bar and of is not None else [file.name.split(".")[0]] * len(days)
    )
    if _newest_first(names, days):
        sheet, days, names = sheet.backwards(), days[::-1], names[::-1]
    if by_bar:
        table = _bar_a_row(sheet, days, names, symbols)
    else:
        table = _side_by_side(sheet, when, days, symbols)
    if len(table.days) < fewest:
        raise PriceFileInvalid(
            sheet.source,
            f"too short: {len(table.days)} days of prices, at least {fewest} are needed",
        )
    empty = np.nonzero((table.close == MISSING).all(axis=0))[0]
    if len(empty):
        names = listed([table.symbols[column] for column in empty])
        raise PriceFileInvalid(sheet.source, f"not one price of {names}")
    return table


def _days(sheet: Sheet, when: int) -> Sequence[date]:
    known: dict[str, date] = {}
    days: list[date] = []
    for text, line in zip(sheet.columns[when], sheet.lines, strict=True):
        day = known.get(text) if isinstance(text, str) else None
        if day is None:
            try:
                at = datetime.fromisoformat(text.strip())
            except (ValueError, AttributeError):
                raise PriceFileInvalid(
                    sheet.source, f"{text!r} is not a date like 2019-01-02", line
                ) from None
            if at.time() != time():
                raise PriceFileInvalid(
                    sheet.source, f"{text!r} is not a day: only daily bars can be replayed", line
                )
            day = known[text] = at.date()
        days.append(day)
    return days


def _side_by_side(
    sheet: Sheet, when: int, days: Sequence[date], symbols: Sequence[Symbol]
) -> PriceTable:
    held = [name for place, name in enumerate(sheet.names) if place != when]
    wanted = _known(symbols, held, sheet.source)
    close = np.empty((len(days), len(wanted)), dtype=np.int64)
    odd: dict[tuple[str, int, int], Decimal] = {}
    for column, symbol in enumerate(wanted):
        close[:, column], strange = _micros(sheet, sheet.names.index(symbol))
        odd.update({("close", row, column): value for row, value in strange.items()})
    return PriceTable(sheet.source, days, sheet.lines, wanted, close, odd=odd)


def _names(sheet: Sheet, of: int) -> Sequence[Symbol]:
    names = [str(cell).strip() for cell in sheet.columns[of]]
    if "" in names:
        raise PriceFileInvalid(sheet.source, "no symbol in this row", sheet.lines[names.index("")])
    return names


def _newest_first(names: Sequence[Symbol], days: Sequence[date]) -> bool:
    """Return whether each symbol's days run backwards, as some exports have them."""
    last: dict[Symbol, date] = {}
    backwards = False
    for name, day in zip(names, days, strict=True):
        before = last.get(name, day)
        if day > before:
            return False
        backwards |= day < before
        last[name] = day
    return backwards


def _bar_a_row(
    sheet: Sheet, days: Sequence[date], names: Sequence[Symbol], symbols: Sequence[Symbol]
) -> PriceTable:
    wanted = _known(symbols, list(dict.fromkeys(names)), sheet.source)
    columns = {symbol: column for column, symbol in enumerate(wanted)}
    taken = [i for i, name in enumerate(names) if name in columns]
    rows, kept = _rows([(names[i], days[i]) for i in taken])
    first_lines = [sheet.lines[taken[i]] for i in kept]
    shape = (len(kept), len(wanted))
    at = (np.array(rows, dtype=np.intp), np.array([columns[names[i]] for i in taken], np.intp))
    tables: dict[str, Micros] = {}
    odd: dict[tuple[str, int, int], Decimal] = {}
    for field in FIELDS:
        place = sheet.place(field)
        if place is None:
            continue
        micros, strange = _micros(sheet, place)
        tables[field] = np.full(shape, MISSING, dtype=np.int64)
        tables[field][at] = micros[taken]
        for i in np.nonzero(micros[taken] == ODD)[0].tolist():
            odd[field, int(at[0][i]), int(at[1][i])] = strange[taken[i]]
    return PriceTable(
        sheet.source, [days[taken[i]] for i in kept], first_lines, wanted, odd=odd, **tables
    )


def _rows(bars: Sequence[tuple[Symbol, date]]) -> tuple[Sequence[int], Sequence[int]]:
    """Return the table's row of each bar, and for each table row the first of its bars.

    A row holds the bars of one day, whatever their order in the file. A bar that comes after a
    later one of its own symbol, or twice, gets a row of its own behind that one: it is for the
    check to refuse, as it would be had it come over a wire.
    """
    newest: dict[Symbol, date] = {}
    keys: list[tuple[date, int]] = []
    for i, (symbol, day) in enumerate(bars):
        last = newest.get(symbol, date.min)
        if day > last:
            newest[symbol] = day
            keys.append((day, 0))
        else:
            keys.append((last, i + 1))
    first: dict[tuple[date, int], int] = {}
    for i, key in enumerate(keys):
        first.setdefault(key, i)
    ordered = sorted(first)
    place = {key: row for row, key in enumerate(ordered)}
    return [place[key] for key in keys], [first[key] for key in ordered]


def _micros(sheet: Sheet, place: int) -> tuple[Micros, Mapping[int, Decimal]]:
    column = sheet.columns[place]
    if isinstance(column, np.ndarray):
        return in_micros(column, lambda i: repr(float(column[i])))
    texts = [text.strip() for text in column]
    missing = [i for i, text in enumerate(texts) if not text]
    for i in missing:
        texts[i] = "0"
    try:
        values = np.array(texts, dtype=np.float64)
    except ValueError:
        values = np.array([_number(sheet, place, i, text) for i, text in enumerate(texts)])
    micros, odd = in_micros(values, texts.__getitem__)
    micros[missing] = MISSING
    return micros, odd


def _number(sheet: Sheet, place: int, i: int, text: str) -> float:
    try:
        return float(Decimal(text))
    except (InvalidOperation, ValueError):
        raise PriceFileInvalid(
            sheet.source, f"column {sheet.names[place]!r}: {text!r} is not a number", sheet.lines[i]
        ) from None


def _known(symbols: Sequence[Symbol], held: Sequence[Symbol], source: str) -> tuple[Symbol, ...]:
    """Return `symbols`, or all that are `held`; raise PriceFileInvalid naming those that aren't."""
    unknown = [symbol for symbol in symbols if symbol not in held]
    if unknown:
        near = difflib.get_close_matches(unknown[0], held, n=1, cutoff=0.6)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise PriceFileInvalid(
            source,
            f"no prices of {listed(unknown)}, which universe.symbols asks for{hint} "
            f"The file holds {listed(held)}",
        )
    if not held:
        raise PriceFileInvalid(source, "no column of prices beside the date")
    return tuple(symbols or held)
