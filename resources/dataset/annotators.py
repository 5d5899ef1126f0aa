"""Who annotated, as the warehouse's own table ``annotators`` tells it."""

from dataclasses import dataclass

import duckdb

from resources.annotation.declaration import Role


@dataclass(frozen=True)
class Listed:
    """An annotator of the collection, with its columns of ``captioned_videos``."""

    name: str
    role: Role
    columns: tuple[str, ...]


def annotators(connection: duckdb.DuckDBPyConnection) -> list[Listed]:
    """All annotators, in the order of the collection file."""
    found = connection.execute("SELECT name, role, columns FROM annotators ORDER BY place").fetchall()
    return [Listed(name, Role(role), tuple(columns)) for name, role, columns in found]


def columns_of(listed: list[Listed], *roles: Role) -> list[str]:
    """The columns of the annotators with one of these roles."""
    return [column for one in listed if one.role in roles for column in one.columns]
