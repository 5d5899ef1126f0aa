"""How often what occurs in the collection, over all of it and for each captioner."""

from dataclasses import asdict

import duckdb
import pyarrow as pa

from resources.annotation.declaration import Role
from resources.dataset.annotators import annotators, columns_of
from resources.dataset.bins import BINS
from resources.dataset.sql import named_queries
from resources.warehouse import Warehouse
from resources.words.synonyms import fold_tags

ALL = "all"
CLIP_FACETS = (*dict.fromkeys(one.facet for one in BINS), "kind", "codec")
_COLUMNS = {
    "facet": (pa.string(), "what is counted"),
    "captioner": (
        pa.string(),
        "all, or where the text comes from; for text_len: whose captions are measured",
    ),
    "value": (pa.string(), "the tag, label or class of numbers"),
    "clips": (pa.int64(), "clips with this value"),
    "share": (pa.float64(), "of the clips that have the facet; tags overlap, so theirs add up to more"),
    "position": (pa.int64(), "order within facet and captioner"),
    "variants": (pa.list_(pa.string()), "spellings counted under this tag"),
}
DISTRIBUTION_SCHEMA = pa.schema(
    [pa.field(name, kind, metadata={"description": said}) for name, (kind, said) in _COLUMNS.items()]
)


def distribution(warehouse: Warehouse) -> pa.Table:
    """One row a facet × captioner × value (:data:`DISTRIBUTION_SCHEMA`).

    Raises:
        WarehouseEmptyError: nothing has been merged yet.
        WarehouseBusyError: another process kept the database open.
    """
    with warehouse.snapshot() as connection:
        listed = annotators(connection)
        labels = {one.name: column for one in listed if one.role is Role.LABEL for column in one.columns}
        rows = [
            row
            for one in listed
            if one.role is Role.TAGS
            for column in one.columns
            for row in _tag_rows(connection, column, f"{one.name}_status")
        ]
        rows += _rows(connection, _QUERIES["labels"].replace("{labels}", _label_queries(labels)))
        connection.register("bins", pa.Table.from_pylist([asdict(one) for one in BINS]))
        rows += _rows(connection, _QUERIES["bins"])
    order = [*columns_of(listed, Role.TAGS), *labels, *CLIP_FACETS]
    rows.sort(
        key=lambda row: (
            order.index(row["facet"]), row["captioner"] != ALL, row["captioner"], row["position"]
        )
    )  # fmt: skip
    return pa.Table.from_pylist(rows, schema=DISTRIBUTION_SCHEMA)


_QUERIES = named_queries("distribution.sql")


def _tag_rows(connection: duckdb.DuckDBPyConnection, facet: str, status: str) -> list[dict]:
    """The rows of a column of tags; spellings of one word count as one."""

    def of_facet(name: str) -> str:
        return _QUERIES[name].replace("{tags}", f'"{facet}"').replace("{status}", f'"{status}"')

    counts = dict(connection.execute(of_facet("tags")).fetchall())
    names = fold_tags(counts, verbs="actions" in facet)
    folded = {"tag": pa.array(names, pa.string()), "name": pa.array(names.values(), pa.string())}
    connection.register("folded", pa.table(folded))
    return [{"facet": facet, **row} for row in _rows(connection, of_facet("tag_counts"))]


def _label_queries(labels: dict[str, str]) -> str:
    return "".join(
        f"""SELECT '{name}' AS facet, text_source, "{column}" AS value
            FROM captioned_videos WHERE "{name}_status" = 'ok' UNION ALL """
        for name, column in labels.items()
    )


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict]:
    return [{"variants": [], **row} for row in connection.execute(query).fetch_arrow_table().to_pylist()]
