"""How often what occurs in the collection, over all of it and for each captioner."""

from collections import defaultdict
from dataclasses import asdict

import duckdb
import pyarrow as pa

from resources.annotation.declaration import Role
from resources.dataset.annotators import Listed, annotators, columns_of
from resources.dataset.bins import BINS
from resources.dataset.sql import named_queries
from resources.warehouse import Warehouse
from resources.words.synonyms import fold_tags

ALL = "all"
_CLIP_FACETS = (
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
    with warehouse.snapshot() as connection:
        listed = annotators(connection)
        rows = [
            row
            for one in listed
            if one.role is Role.TAGS
            for column in one.columns
            for row in _tag_rows(connection, column, f"{one.name}_status")
        ]
        rows += _label_rows(connection, listed)
        rows += _bin_rows(connection)
    labels = [one.name for one in listed if one.role is Role.LABEL]
    order = {
        facet: place for place, facet in enumerate([*columns_of(listed, Role.TAGS), *labels, *_CLIP_FACETS])
    }
    rows.sort(
        key=lambda row: (order[row["facet"]], row["captioner"] != ALL, row["captioner"], row["position"])
    )
    return pa.Table.from_pylist(rows, schema=DISTRIBUTION_SCHEMA)


def _tag_rows(connection: duckdb.DuckDBPyConnection, facet: str, status: str) -> list[dict]:
    queries = {
        name: query.replace("{tags}", f'"{facet}"').replace("{status}", f'"{status}"')
        for name, query in named_queries("distribution.sql").items()
    }
    counts = dict(connection.execute(queries["tags"]).fetchall())
    names = fold_tags(counts, verbs="actions" in facet)
    variants = defaultdict(list)
    for tag, name in names.items():
        variants[name].append(tag)
    folded = pa.table(
        {"tag": pa.array(list(names), pa.string()), "name": pa.array(list(names.values()), pa.string())}
    )
    connection.register("folded", folded)
    found = connection.execute(queries["tag_counts"]).fetchall()
    connection.unregister("folded")
    places: dict[str, int] = defaultdict(int)
    rows = []
    for captioner, value, clips, total in found:
        row = _row(facet, captioner, value, clips, total, places[captioner])
        rows.append({**row, "variants": sorted(variants[value])})
        places[captioner] += 1
    return rows


def _label_rows(connection: duckdb.DuckDBPyConnection, listed: list[Listed]) -> list[dict]:
    labels = "".join(
        f"""SELECT '{one.name}' AS facet, text_source, "{column}" AS value
            FROM captioned_videos WHERE "{one.name}_status" = 'ok' UNION ALL """
        for one in listed
        if one.role is Role.LABEL
        for column in one.columns
    )
    query = named_queries("distribution.sql")["labels"].replace("{labels}", labels)
    found = connection.execute(query).fetchall()
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
