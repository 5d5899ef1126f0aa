"""Which clips show the same, asked of the warehouse: coded again, resized, cropped, trimmed or brightened a little."""

import duckdb
import numpy as np
import pyarrow as pa

from resources.annotation.clip import Kind
from resources.dataset.filters import FilterError
from resources.dataset.sql import named_queries
from resources.measures.near_duplicates import Clips, near_duplicates
from resources.measures.phash import words_of

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), metadata={"description": "the clip"}),
        pa.field(
            "near_duplicate_of",
            pa.string(),
            metadata={"description": "the clip to keep in its place; NULL for the one that is kept"},
        ),
        pa.field("duplicate_group", pa.string(), metadata={"description": "the id of the clip that is kept"}),
    ]
)


def find_near_duplicates(connection: duckdb.DuckDBPyConnection, among: str = "captioned_videos") -> pa.Table:
    """The clips that have a near-duplicate, one row each (:data:`SCHEMA`).

    Of each group the largest clip is kept, then the longest, then the sharpest; every other was itself found alike to
    it. A clip without measures is in no group. ``among``: a table or view with the ids that are looked at.

    Raises:
        FilterError: no clip has been measured.
    """
    rows: list[tuple[str, str | None, str]] = []
    measured = 0
    for kind in Kind:
        query = named_queries("near_duplicates.sql")["signatures"].replace("{among}", among)
        found = connection.execute(query, {"kind": kind}).to_arrow_table()
        measured += found.num_rows
        if found.num_rows == 0:
            continue
        words = np.concatenate([words_of(batch["signature"].to_pylist()) for batch in found.to_batches()])
        kept = near_duplicates(Clips(words, found["duration_s"].to_numpy()))
        grouped = np.flatnonzero(np.bincount(kept, minlength=len(kept))[kept] > 1)
        ids = found["id"].to_pylist()
        rows += [(ids[i], None if kept[i] == i else ids[kept[i]], ids[kept[i]]) for i in grouped]
    if not measured:
        raise FilterError(
            "no clip has been measured, which near-duplicates are told by: write "
            "{kind: camera_motion, measures: true} into the collection file and run it"
        )
    columns = zip(*rows, strict=True) if rows else ([], [], [])
    return pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)], SCHEMA
    )
