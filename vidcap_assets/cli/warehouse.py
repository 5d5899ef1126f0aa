"""Reading the warehouse for a command."""

from collections.abc import Mapping
from typing import Any

from vidcap_assets.cli.in_force import collection
from vidcap_assets.cli.output import fail, say

_PATIENCE_S = 20.0


def query(sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """The rows of a query as dicts. Ends the command where there is nothing to read or no way to."""
    import duckdb

    from resources.warehouse import Warehouse, WarehouseEmptyError

    settings = collection()
    warehouse = Warehouse(settings.warehouse_block.uri, lock_timeout_s=_PATIENCE_S, log=say)
    try:
        with warehouse.snapshot() as connection:
            result = connection.execute(sql, dict(parameters) if parameters else None)
            names = [column[0] for column in result.description]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    except WarehouseEmptyError:
        fail(f"nothing has been captioned in {settings.home} yet; start with: vidcap run SOURCE")
    except duckdb.IOException as error:
        fail(f"{error}; `vidcap rebuild` makes the database anew from the lake")
