"""The columns that the source list brought along, as columns of the training set."""

import json

import duckdb

from resources.annotation.tables import merged_columns

_TYPES = {"UBIGINT": "BIGINT", **{name: name for name in ("BIGINT", "DOUBLE", "BOOLEAN", "VARCHAR")}}


def with_source_columns(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Make the temporary view ``listed_videos``: ``captioned_videos`` and one column for each of the list's.

    A column whose name is taken is called ``source_…``; values that are lists or objects, or of several types, are
    JSON. What tables of earlier versions lack is NULL. Returns the names of the columns that were added.
    """
    there = set(connection.table("captioned_videos").columns)
    lacking = [column for column in merged_columns(()) if column.name not in there]
    taken = {name.lower() for name in there} | {column.name for column in lacking}
    added: list[str] = []
    items = "".join(f', CAST(NULL AS {column.type}) AS "{column.name}"' for column in lacking)
    for key, kind in _structure(connection).items() if "extra" in there else ():
        name = key.replace('"', "_")
        while name.lower() in taken:
            name = f"source_{name}"
        taken.add(name.lower())
        pointer = "/" + key.replace("~", "~0").replace("/", "~1").replace("'", "''")
        simple = _TYPES.get(kind) if isinstance(kind, str) else None
        value = (
            f"CAST(extra ->> '{pointer}' AS {simple})" if simple else f"CAST(extra -> '{pointer}' AS VARCHAR)"
        )
        items += f', {value} AS "{name}"'
        added.append(name)
    connection.execute(f"CREATE OR REPLACE TEMP VIEW listed_videos AS SELECT *{items} FROM captioned_videos")
    return added


def _structure(connection: duckdb.DuckDBPyConnection) -> dict[str, object]:
    row = connection.execute(
        "SELECT CAST(json_group_structure(extra) AS VARCHAR) FROM captioned_videos"
    ).fetchone()
    found = json.loads(row[0]) if row and row[0] else {}
    return found if isinstance(found, dict) else {}
