"""The rows of a CSV or Parquet list, as texts: nothing is guessed, and what does not fit is refused."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

COLUMNS = ("path", "id", "text")


class ListError(Exception):
    """The list cannot be used as it is; the message says why, without the list's name."""


class Row(NamedTuple):
    """The values of one row; ``None`` where the list has no such column, or nothing in it."""

    path: str | None
    id: str | None
    text: str | None


def read_rows(path: Path) -> tuple[list[Row], bool]:
    """The rows of a list in its order, and whether it has a column ``id``.

    Raises:
        ListError: no such list, no column ``path``, or not what its extension says.
    """
    if not path.is_file():
        raise ListError("there is no such list")
    return _read_csv(path) if path.suffix.lower() == ".csv" else _read_parquet(path)


def _read_csv(path: Path) -> tuple[list[Row], bool]:
    """UTF-8, with or without a byte order mark.

    A line with more values than there are columns is an error: who forgives it shifts the values of that line,
    or of the whole list, into other columns.
    """
    rows: list[Row] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, strict=True)
            header = [name.strip() for name in next(lines, [])]
            places = _places(header)
            for values in lines:
                if any(values[len(header) :]):
                    raise ListError(
                        f"row {len(rows) + 1} has {len(values)} values for {len(header)} columns "
                        "(a value with a comma in it needs quotes)"
                    )
                if values:
                    rows.append(Row(*(_at(values, place) or None for place in places)))
    except UnicodeDecodeError as error:
        raise ListError(f"cannot be read as csv: it is not UTF-8 ({error.reason})") from error
    except (csv.Error, OSError) as error:
        raise ListError(f"cannot be read as csv: {error}") from error
    return rows, places[COLUMNS.index("id")] is not None


def _places(header: Sequence[str]) -> list[int | None]:
    """Where each of :data:`COLUMNS` is."""
    if not header:
        raise ListError("cannot be read as csv: it is empty")
    doubled = [name for name in COLUMNS if header.count(name) > 1]
    if doubled:
        raise ListError(f"has more than one column '{doubled[0]}'")
    _require_path(header)
    return [header.index(name) if name in header else None for name in COLUMNS]


def _at(values: Sequence[str], place: int | None) -> str:
    return values[place] if place is not None and place < len(values) else ""


def _read_parquet(path: Path) -> tuple[list[Row], bool]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        names = file.schema_arrow.names
        _require_path(names)
        table = file.read(columns=[name for name in COLUMNS if name in names])
    except (pa.ArrowException, OSError) as error:
        raise ListError(f"cannot be read as parquet: {error}") from error
    columns = [
        [_text(name, value) for value in table[name].to_pylist()]
        if name in names
        else [None] * table.num_rows
        for name in COLUMNS
    ]
    return [Row(*values) for values in zip(*columns, strict=True)], "id" in names


def _text(name: str, value: Any) -> str | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, (list, dict)):
        raise ListError(f"the column '{name}' holds {type(value).__name__}s, not texts")
    if isinstance(value, bytes):
        try:
            return value.decode() or None
        except UnicodeDecodeError:
            raise ListError(f"the column '{name}' holds bytes that are not UTF-8") from None
    return str(value) or None


def _require_path(columns: Sequence[str]) -> None:
    if "path" not in columns:
        raise ListError(f"has no column 'path' (its columns: {', '.join(columns)})")
