"""Lists made of a source or of a collection: chosen, ordered and reworded by DuckDB, and written as a file."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from resources.dataset.source_columns import with_source_columns
from resources.errors import VidcapError
from resources.warehouse import Warehouse

_WRITE = {
    ".csv": "FORMAT csv, HEADER",
    ".tsv": "FORMAT csv, HEADER, DELIMITER '\t'",
    ".json": "FORMAT json, ARRAY true",
    ".jsonl": "FORMAT json",
    ".parquet": "FORMAT parquet",
}
_CLEAN = (
    r"trim(regexp_replace(regexp_replace(text, '<[^>]*>|https?://\S+|www\.\S+|[\w.+-]+@[\w-]+\.\w+', ' ', 'g'),"
    r" '\s+', ' ', 'g'))"
)


class ListingError(VidcapError):
    """The list cannot be made; the message says why in one sentence."""


@dataclass(frozen=True)
class Choice:
    """Which rows, in which order. Bounds are inclusive, by column; a row without the value does not pass.

    ``fps`` is the exception: an image has none and passes.
    """

    least: Mapping[str, float | None]
    most: Mapping[str, float | None]
    kind: str | None = None
    without: Sequence[str] | None = None
    only: Sequence[str] | None = None
    sort: str | None = None
    descending: bool = True
    shuffle: bool = False
    seed: int = 0
    head: int | None = None


@contextmanager
def collection_rows(warehouse: Warehouse) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection whose table ``taken`` is the merged clips, in the order of their ids."""
    with warehouse.snapshot() as connection:
        with_source_columns(connection)
        connection.execute(
            "CREATE TEMP TABLE taken AS SELECT * EXCLUDE (extra), row_number() OVER (ORDER BY id, path) AS place__ "
            "FROM listed_videos WHERE probe_error IS NULL"
        )
        yield connection


@contextmanager
def listed_rows(rows: Sequence[Mapping[str, object]]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection whose table ``taken`` is these rows, in their order.

    Raises:
        ListingError: a column holds values of several types.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    try:
        table = pa.table({name: [row.get(name) for row in rows] for name in names})
    except pa.ArrowException as error:
        raise ListingError(f"a column of the list holds values of several types: {error}") from error
    with duckdb.connect() as connection:
        connection.register("given", table)
        connection.execute("CREATE TEMP TABLE taken AS SELECT *, row_number() OVER () AS place__ FROM given")
        yield connection


def choose(connection: duckdb.DuckDBPyConnection, choice: Choice) -> None:
    """Keep the rows of ``taken`` that are wanted, with ``place__`` as their order."""
    conditions: list[str] = []
    values: list[Any] = []
    for sign, bounds in ((">=", choice.least), ("<=", choice.most)):
        for name, bound in ((name, bound) for name, bound in bounds.items() if bound is not None):
            column = _column(connection, name)
            conditions.append(f"({column} {sign} ?{f' OR {column} IS NULL' if name == 'fps' else ''})")
            values.append(bound)
    for condition, wanted in (
        ("kind = ?", choice.kind),
        ("NOT list_contains(?, path)", choice.without),
        ("list_contains(?, path)", choice.only),
    ):
        if wanted is not None:
            conditions.append(condition)
            values.append(wanted)
    order = "place__"
    seed: list[str] = []
    if choice.sort is not None:
        order = (
            f"{_column(connection, choice.sort)} {'DESC' if choice.descending else 'ASC'} NULLS LAST, place__"
        )
    if choice.shuffle:
        order = "md5(concat(?, ':', path)), place__"
        seed = [str(choice.seed)]
    limit = "" if choice.head is None else f" LIMIT {choice.head}"
    connection.execute(
        f"CREATE TEMP TABLE chosen AS SELECT * REPLACE (row_number() OVER (ORDER BY {order}) AS place__) FROM taken "
        f"WHERE {' AND '.join(conditions) or 'true'} ORDER BY place__{limit}",
        [*seed, *values],
    )


def reword(connection: duckdb.DuckDBPyConnection, *, clean: bool, append: str | None, scores: bool) -> None:
    """Change ``text``: without addresses and markup, with an ending, with the scores that the rows have."""
    there = connection.table("chosen").columns
    if (clean or append or scores) and "text" not in there:
        raise ListingError("there is no column 'text' to change")
    if clean:
        connection.execute(f"UPDATE chosen SET text = {_CLEAN}")
    if append:
        connection.execute("UPDATE chosen SET text = text || ?", [append])
    if scores:
        named = [(name, word) for name, word in (("aes", "aesthetic"), ("flow", "motion")) if name in there]
        if not named:
            raise ListingError("there is no score to put into the text: expected a column aes or flow")
        for name, word in named:
            connection.execute(f"UPDATE chosen SET text = text || printf(' {word} score: %.1f.', \"{name}\"::DOUBLE) "
                               f'WHERE "{name}" IS NOT NULL')  # fmt: skip


def write(connection: duckdb.DuckDBPyConnection, out: Path) -> int:
    """Write the chosen rows as the file's suffix says; their number."""
    if out.suffix.lower() not in _WRITE:
        raise ListingError(f"{out}: expected a name that ends with one of {', '.join(_WRITE)}")
    quoted = str(out).replace("'", "''")
    connection.execute(
        f"COPY (SELECT * EXCLUDE (place__) FROM chosen ORDER BY place__) TO '{quoted}' ({_WRITE[out.suffix.lower()]})"
    )
    return len(connection.table("chosen"))


def _column(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    there = [column for column in connection.table("taken").columns if column != "place__"]
    if name not in there:
        raise ListingError(
            f"there is no column {name!r}; there are {', '.join(there)} (--info measures the files)"
        )
    return '"' + name.replace('"', '""') + '"'
