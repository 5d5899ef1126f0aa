"""How often what occurs in the collection, over all of it and for each captioner."""

from collections import defaultdict
from dataclasses import asdict

import duckdb
import pyarrow as pa

from resources.dataset.bins import BINS
from resources.dataset.reading import read_snapshot
from resources.dataset.sql import named_queries
from resources.warehouse import Warehouse
from resources.words.synonyms import fold_tags

ALL = "all"
TAG_FACETS = ("objects", "actions")
FACETS = (
    *TAG_FACETS,
    "camera_motion",
    "text_len",
    "resolution",
    "duration_s",
    "num_frames",
    "aspect_ratio",
    "kind",
    "codec",
)
DISTRIBUTION_SCHEMA = pa.schema(
    [
        pa.field("facet", pa.string(), metadata={"description": "what is counted"}),
        pa.field(
            "captioner",
            pa.string(),
            metadata={
                "description": "all, or where the text comes from; for text_len: whose captions are measured"
            },
        ),
        pa.field("value", pa.string(), metadata={"description": "the tag, label or class of numbers"}),
        pa.field("clips", pa.int64(), metadata={"description": "clips with this value"}),
        pa.field(
            "share",
            pa.float64(),
            metadata={
                "description": "of the clips that have the facet; tags overlap, so theirs add up to more"
            },
        ),
        pa.field("position", pa.int64(), metadata={"description": "order within facet and captioner"}),
        pa.field(
            "variants", pa.list_(pa.string()), metadata={"description": "spellings counted under this tag"}
        ),
    ]
)


def distribution(warehouse: Warehouse) -> pa.Table:
    """One row a facet × captioner × value (:data:`DISTRIBUTION_SCHEMA`).

    Raises:
        WarehouseEmptyError: nothing has been merged yet.
        WarehouseBusyError: another process kept the database open.
    """
    with read_snapshot(warehouse) as connection:
        rows = [row for facet in TAG_FACETS for row in _tag_rows(connection, facet)]
        rows += _label_rows(connection)
        rows += _bin_rows(connection)
    order = {facet: place for place, facet in enumerate(FACETS)}
    rows.sort(
        key=lambda row: (order[row["facet"]], row["captioner"] != ALL, row["captioner"], row["position"])
    )
    return pa.Table.from_pylist(rows, schema=DISTRIBUTION_SCHEMA)


def _tag_rows(connection: duckdb.DuckDBPyConnection, facet: str) -> list[dict]:
    queries = named_queries("distribution.sql")
    counts = dict(connection.execute(queries["tags"], {"facet": facet}).fetchall())
    names = fold_tags(counts, verbs=facet == "actions")
    variants = defaultdict(list)
    for tag, name in names.items():
        variants[name].append(tag)
    folded = pa.table(
        {"tag": pa.array(list(names), pa.string()), "name": pa.array(list(names.values()), pa.string())}
    )
    connection.register("folded", folded)
    found = connection.execute(queries["tag_counts"], {"facet": facet}).fetchall()
    connection.unregister("folded")
    places: dict[str, int] = defaultdict(int)
    rows = []
    for captioner, value, clips, total in found:
        rows.append(
            {
                "facet": facet,
                "captioner": captioner,
                "value": value,
                "clips": clips,
                "share": clips / float(total),
                "position": places[captioner],
                "variants": sorted(variants[value]),
            }
        )
        places[captioner] += 1
    return rows


def _label_rows(connection: duckdb.DuckDBPyConnection) -> list[dict]:
    found = connection.execute(named_queries("distribution.sql")["labels"]).fetchall()
    places: dict[tuple[str, str], int] = defaultdict(int)
    rows = []
    for facet, captioner, value, clips, total in found:
        rows.append(_row(facet, captioner, value, clips, total, places[facet, captioner]))
        places[facet, captioner] += 1
    return rows


def _bin_rows(connection: duckdb.DuckDBPyConnection) -> list[dict]:
    connection.register("bins", pa.Table.from_pylist([asdict(one) for one in BINS]))
    found = connection.execute(named_queries("distribution.sql")["bins"]).fetchall()
    connection.unregister("bins")
    return [
        _row(facet, captioner, value, clips, total, position)
        for facet, captioner, value, position, clips, total in found
    ]


def _row(facet: str, captioner: str, value: str, clips: int, total: int, position: int) -> dict:
    return {
        "facet": facet,
        "captioner": captioner,
        "value": value,
        "clips": clips,
        "share": clips / float(total),
        "position": position,
        "variants": [],
    }
