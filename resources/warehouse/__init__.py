"""The warehouse: the DuckDB database with the merged tables, rebuilt from the lake at any time."""

from resources.warehouse.columns import ColumnTypeError
from resources.warehouse.filling import TextRule
from resources.warehouse.warehouse import (
    Merge,
    RowsLostError,
    Warehouse,
    WarehouseBusyError,
    WarehouseEmptyError,
)

__all__ = [
    "ColumnTypeError",
    "Merge",
    "RowsLostError",
    "TextRule",
    "Warehouse",
    "WarehouseBusyError",
    "WarehouseEmptyError",
]
