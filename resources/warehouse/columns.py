"""The columns of ``captioned_videos`` that annotators declare, as SQL. Their names are identifiers by declaration."""

from collections.abc import Iterator, Sequence

import duckdb

from resources.annotation.declaration import Column, Declaration
from resources.annotation.tables import merged_columns
from resources.errors import VidcapError


class ColumnTypeError(VidcapError):
    """A column is in the table with another type than its annotator declares."""


def listed(columns: Sequence[Column]) -> str:
    """Columns as ``CREATE TABLE`` lists them."""
    return ", ".join(f'"{column.name}" {column.type}' for column in columns)


def column_types(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """The DuckDB type of each column of a table, in order."""
    relation = connection.table(table)
    return dict(zip(relation.columns, map(str, relation.types), strict=True))


def add_columns(connection: duckdb.DuckDBPyConnection, declared: Sequence[Declaration]) -> None:
    """Add the columns that the table lacks, rewriting no row, and list the annotators.

    Those that earlier versions did not have are among them; columns that nobody declares any more stay.

    Raises:
        ColumnTypeError: a column is there with another type.
    """
    there = column_types(connection, "captioned_videos")
    for column in merged_columns(declared):
        wanted = str(connection.dtype(column.type))
        if column.name not in there:
            connection.execute(f'ALTER TABLE captioned_videos ADD COLUMN "{column.name}" {column.type}')
        elif there[column.name] != wanted:
            raise ColumnTypeError(
                f"the column {column.name} of captioned_videos is {there[column.name]}, but its annotator "
                f"declares {wanted}: run `vidcap rebuild`, which makes the tables anew"
            )
    rows = [
        (place, one.asset, one.role.value, [column.name for column in one.columns], one.meaning)
        for place, one in enumerate(declared)
    ]
    if connection.execute("SELECT * FROM annotators ORDER BY place").fetchall() != rows:
        connection.execute("BEGIN; DELETE FROM annotators")
        for row in rows:
            connection.execute("INSERT INTO annotators VALUES (?, ?, ?, ?, ?)", row)
        connection.execute("COMMIT")


def answers(declared: Sequence[Declaration]) -> str:
    """The select list that makes one row a clip of one row a clip × annotator, each item with a comma after it."""
    return "".join(f"{item},\n        " for item in _answers(declared))


def said(declared: Sequence[Declaration], order: Sequence[str]) -> str:
    """The table of current answers, with a row more for each field of a structured caption that may be the text."""
    parts = {name: (one.asset, path) for one in declared for name, path in one.parts.items() if name in order}
    rows = (
        f" UNION ALL SELECT * REPLACE ('{name}' AS annotator, details ->> '{path}' AS value) FROM fresh "
        f"WHERE annotator = '{asset}' AND status = 'ok' AND (details ->> '{path}') IS NOT NULL"
        for name, (asset, path) in parts.items()
    )
    return f"(FROM fresh{''.join(rows)})" if parts else "fresh"


def _answers(declared: Sequence[Declaration]) -> Iterator[str]:
    for one in declared:
        mine = f"FILTER (annotator = '{one.asset}')"
        for column in one.columns:
            place = "value" if column.path is None else f"details ->> '{column.path}'"
            answer = f"any_value({place}) {mine}"
            if column.type != "VARCHAR":
                source = "JSON" if "[" in column.type or "(" in column.type else "VARCHAR"
                answer = f"CAST(CAST({answer} AS {source}) AS {column.type})"
            yield f'{answer} AS "{column.name}"'
        yield f'any_value(status) {mine} AS "{one.asset}_status"'
