"""Read a table from CSV, gzipped CSV or Parquet, as columns that know their lines."""

import csv
import gzip
import io
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from daemon.feeds.prices import PriceFileInvalid

Column = Sequence[str] | NDArray[np.float64]  # an empty text is a missing value


class Sheet(msgspec.Struct, frozen=True):
    """A file as named columns of equal length, and the line each row is on."""

    source: str
    names: Sequence[str]
    columns: Sequence[Column]
    lines: Sequence[int]

    def backwards(self) -> "Sheet":
        """Return the same rows, the last one first."""
        columns = [column[::-1] for column in self.columns]
        return Sheet(self.source, self.names, columns, self.lines[::-1])

    def place(self, *names: str) -> int | None:
        """Return where the first column of one of these names is; case doesn't matter."""
        known = [name.lower().replace("_", " ") for name in self.names]
        for name in names:
            if name.replace("_", " ") in known:
                return known.index(name.replace("_", " "))
        return None


def read_sheet(file: Path, source: str) -> Sheet:
    """Return what a file holds, called `source` in messages; raises PriceFileInvalid."""
    try:
        content = file.read_bytes()
        if content.startswith(b"PAR1"):
            return _parquet(content, source)
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
        return _csv(content.decode("utf-8-sig"), source)
    except OSError as e:
        raise PriceFileInvalid(source, f"can't be read: {e.strerror or e}") from e
    except (EOFError, zlib.error) as e:
        raise PriceFileInvalid(source, f"the gzip file is damaged: {e}") from e
    except UnicodeDecodeError as e:
        line = e.object.count(b"\n", 0, e.start) + 1
        raise PriceFileInvalid(source, "neither Parquet nor CSV in UTF-8", line) from e


def _csv(text: str, source: str) -> Sheet:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        names = [name.strip() for name in next(reader, [])]
        for row in reader:
            if row:
                rows.append(row)
                lines.append(reader.line_num)
    except csv.Error as e:
        raise PriceFileInvalid(source, f"no CSV: {e}", reader.line_num) from e
    if not names:
        raise PriceFileInvalid(source, "the file is empty")
    _refuse_twins(names, source)
    for row, line in zip(rows, lines, strict=True):
        if len(row) != len(names):
            raise PriceFileInvalid(
                source, f"{len(row)} cells, the header has {len(names)} columns", line
            )
    return Sheet(source, names, list(zip(*rows, strict=True)), lines)


def _parquet(content: bytes, source: str) -> Sheet:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(content))
    except (pa.ArrowException, OSError) as e:
        raise PriceFileInvalid(source, f"the Parquet file is damaged: {e}") from e
    columns: list[Column] = []
    for column in table.columns:
        if column.type == pa.float64() and not column.null_count:
            columns.append(column.to_numpy())
        elif column.type == pa.float32():  # 129.652 is not 129.65199279785156
            cells = column.to_numpy(zero_copy_only=False)
            known = column.is_valid().to_pylist()
            columns.append([str(x) if ok else "" for x, ok in zip(cells, known, strict=True)])
        else:
            columns.append(["" if cell is None else str(cell) for cell in column.to_pylist()])
    names = [name.strip() for name in table.column_names]
    _refuse_twins(names, source)
    return Sheet(source, names, columns, range(1, table.num_rows + 1))


def _refuse_twins(names: Sequence[str], source: str) -> None:
    twins = [name for name, count in Counter(names).items() if count > 1]
    if twins:
        raise PriceFileInvalid(source, f"more than one column is named {listed(twins)}", 1)


def listed(names: Sequence[str], most: int = 30) -> str:
    """Return names for a message, the first `most` of them."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
