"""The warehouse: the DuckDB database with the merged tables, rebuilt from the lake at any time."""

from resources.warehouse.filling import ANNOTATORS
from resources.warehouse.warehouse import Merge, RowsLostError, Warehouse, WarehouseBusyError

__all__ = ["ANNOTATORS", "Merge", "RowsLostError", "Warehouse", "WarehouseBusyError"]
