"""Reading the warehouse as it is at one moment."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from resources.warehouse import Warehouse

_MEMORY = "1GiB"


class WarehouseEmptyError(Exception):
    """There is nothing to read yet."""


@contextmanager
def read_snapshot(warehouse: Warehouse) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection in one transaction, bounded in memory: what is larger goes through disk.

    Raises:
        WarehouseEmptyError: no shard has been merged yet.
        WarehouseBusyError: another process kept the database open.
    """
    nothing = f"nothing has been merged into {warehouse.uri} yet: run caption_videos on a shard first"
    if "://" not in warehouse.uri and ":" not in warehouse.uri[2:] and not Path(warehouse.uri).exists():
        raise WarehouseEmptyError(nothing)
    with warehouse.connect(read_only=True) as connection:
        connection.execute(f"SET memory_limit = '{_MEMORY}'")
        connection.execute("BEGIN")
        found = connection.execute(
            "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'captioned_videos'"
        ).fetchone()
        if not found or not found[0]:
            raise WarehouseEmptyError(nothing)
        yield connection
