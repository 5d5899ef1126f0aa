"""The columns of ``captioned_videos`` that annotators declare, as SQL. Their names are identifiers by declaration."""

from collections.abc import Iterator, Sequence

import duckdb

from resources.annotation.declaration import Declaration


def add_columns(connection: duckdb.DuckDBPyConnection, declared: Sequence[Declaration]) -> None:
    """Let the table have every declared column; those that are there stay as they are. Rewrites no row.

    Raises:
        ColumnTypeError: a column is there with another type.
    """
    for column in (column for one in declared for column in one.in_table):
        connection.execute(
            f'ALTER TABLE captioned_videos ADD COLUMN IF NOT EXISTS "{column.name}" {column.type}'
        )
    there = connection.execute("SELECT name, role, columns FROM annotators ORDER BY place").fetchall()
    rows = [(one.asset, one.role.value, [column.name for column in one.columns]) for one in declared]
    if there != rows:
        connection.execute("BEGIN; DELETE FROM annotators")
        connection.executemany(
            "INSERT INTO annotators VALUES (?, ?, ?, ?, ?)",
            [(i, *row, declared[i].meaning) for i, row in enumerate(rows)],
        )
        connection.execute("COMMIT")


def answers(declared: Sequence[Declaration]) -> str:
    """The select list that makes one row a clip of one row a clip × annotator."""
    return ",\n        ".join(_answers(declared))


def _answers(declared: Sequence[Declaration]) -> Iterator[str]:
    for one in declared:
        mine = f"FILTER (annotator = '{one.asset}')"
        for column in one.columns:
            said = (
                f"any_value(value) {mine}"
                if column.path is None
                else f"any_value(details ->> '{column.path}') {mine}"
            )
            if column.type.endswith("[]"):
                said = f"""from_json({said}, '["{column.type.removesuffix("[]")}"]')"""
            elif column.type != "VARCHAR":
                said = f"TRY_CAST({said} AS {column.type})"
            yield f'{said} AS "{column.name}"'
        yield f'any_value(status) {mine} AS "{one.asset}_status"'
