"""The warehouse: the DuckDB database with the merged tables, rebuilt from the lake at any time."""

from resources.warehouse.warehouse import Merge, RowsLostError, Warehouse, WarehouseBusyError

__all__ = ["Merge", "RowsLostError", "Warehouse", "WarehouseBusyError"]
