"""The list files of an export, written row by row."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from resources.dataset.presets import Columns, Form, Listing

_ROWS_A_GROUP = 10_000


class ListFile:
    """One list; memory does not grow with it, but for Parquet, whose columns are held until the end."""

    def __init__(self, path: Path, listing: Listing) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._listing, self._rows = path, listing, 0
        self._pending: list[dict[str, Any]] = []
        self._tables: list[pa.Table] = []
        self._file = open(path, "w", encoding="utf-8", newline="")  # noqa: SIM115 (closed by close)
        if listing.form is Form.CSV:
            self._csv = csv.DictWriter(self._file, list(listing.columns), lineterminator="\n")
            self._csv.writeheader()

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a clip, with the columns of ours that the list names."""
        form, values = self._listing.form, _named(self._listing.columns, row)
        if form is Form.CSV:
            self._csv.writerow(values)
        elif form is Form.LINES:
            self._file.write(" ".join(str(_only(values)).split()) + "\n")
        elif form is Form.JSONL:
            self._file.write(_json(values) + "\n")
        elif form is Form.JSON:
            self._file.write(f"{',' if self._rows else '['}\n{_json(values)}")
        elif form is Form.BY_NAME:
            self._file.write(f"{',' if self._rows else '{'}\n{_json(row['name'])}: {_json(_only(values))}")
        else:
            self._pending.append(values)
            if len(self._pending) == _ROWS_A_GROUP:
                self._flush()
        self._rows += 1

    def close(self) -> None:
        """Write what is left, and close."""
        if self._listing.form is Form.JSON:
            self._file.write("\n]\n" if self._rows else "[]\n")
        elif self._listing.form is Form.BY_NAME:
            self._file.write("\n}\n" if self._rows else "{}\n")
        self._file.close()
        if self._listing.form is Form.PARQUET:
            self._flush()
            # A column may have no value in the first rows: the types follow from all of them.
            whole = pa.concat_tables(self._tables, promote_options="permissive")
            pq.write_table(whole, self._path, compression="zstd")

    def _flush(self) -> None:
        self._tables.append(pa.Table.from_pylist(self._pending))
        self._pending = []


def _named(columns: Columns, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        theirs: row.get(ours) if isinstance(ours, str) else _named(ours, row)
        for theirs, ours in columns.items()
    }


def _only(values: Mapping[str, Any]) -> Any:
    [value] = values.values()
    return value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
