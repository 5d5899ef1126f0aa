"""The list files of an export, each written whole."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from resources.dataset.presets import Columns, Form, Listing


def write_list(path: Path, listing: Listing, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write one list of these clips, at least one, with the columns of ours that it names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    clips = [_named(listing.columns, row) for row in rows]
    if listing.form is Form.PARQUET:
        pq.write_table(pa.Table.from_pylist(clips), path, compression="zstd")
        return
    with open(path, "w", encoding="utf-8", newline="") as file:
        if listing.form is Form.CSV:
            writer = csv.DictWriter(file, list(listing.columns), lineterminator="\n")
            writer.writeheader()
            writer.writerows(clips)
        elif listing.form is Form.LINES:
            file.writelines(" ".join(str(_only(clip)).split()) + "\n" for clip in clips)
        elif listing.form is Form.JSONL:
            file.writelines(_json(clip) + "\n" for clip in clips)
        elif listing.form is Form.JSON:
            file.write("[\n" + ",\n".join(map(_json, clips)) + "\n]\n")
        else:
            named = zip(rows, clips, strict=True)
            pairs = (f"{_json(row['name'])}: {_json(_only(clip))}" for row, clip in named)
            file.write("{\n" + ",\n".join(pairs) + "\n}\n")


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
