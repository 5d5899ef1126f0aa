"""Which clips show the same, asked of the warehouse: coded again, resized, cropped, trimmed or brightened a little."""

import duckdb
import numpy as np
import pyarrow as pa

from resources.annotation.clip import Kind
from resources.dataset.sql import script
from resources.measures.near_duplicates import Clips, near_duplicates
from resources.measures.phash import words_of

SCHEMA = pa.schema([(name, pa.string()) for name in ("id", "near_duplicate_of", "duplicate_group")])


def find_near_duplicates(
    connection: duckdb.DuckDBPyConnection, among: str = "captioned_videos"
) -> pa.Table | None:
    """The clips that have a near-duplicate, one row each (:data:`SCHEMA`); ``None`` where no clip has been measured.

    Of each group the largest clip is kept, then the longest, then the sharpest; every other was itself found alike to
    it, ``near_duplicate_of`` (NULL for itself), whose id names the group. A clip without measures is in none.
    ``among``: a table or view with the ids that are looked at.
    """
    rows: list[tuple[str, str | None, str]] = []
    measured = 0
    for kind in Kind:
        query = script("near_duplicates.sql").replace("{among}", among)
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
        return None
    return pa.Table.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in rows], schema=SCHEMA)
