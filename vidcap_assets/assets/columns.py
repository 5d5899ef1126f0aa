"""Columns of the tables as Dagster shows them: type, meaning, and what each is made of."""

from collections.abc import Callable, Sequence

import dagster as dg

from resources.annotation.declaration import SOURCE_TEXT, Column, Declaration
from resources.annotation.tables import RAW_META, merged_columns

Keys = Callable[[str], dg.AssetKey]


def shown(columns: Sequence[Column]) -> dg.TableSchema:
    """The columns of a table."""
    return dg.TableSchema([dg.TableColumn(one.name, one.type, one.meaning) for one in columns])


def lineage(key: Keys, **made_of: list[tuple[str, str]]) -> dg.TableColumnLineage:
    """For each column the columns it is made of, as (asset, column); ``key`` gives the key of an asset."""
    return dg.TableColumnLineage(
        {
            name: [dg.TableColumnDep(key(asset), column) for asset, column in columns]
            for name, columns in made_of.items()
        }
    )


def annotation_lineage(key: Keys, *read: tuple[str, str]) -> dg.TableColumnLineage:
    """Of an annotator's table: the answers come from the columns ``read``."""
    return lineage(
        key,
        id=[("raw_meta", "id")],
        value=list(read),
        **{name: [*read, ("raw_meta", "probe_error")] for name in ("status", "error_kind", "error")},
    )


def captioned_videos_lineage(
    key: Keys, declared: Sequence[Declaration], order: Sequence[str]
) -> dg.TableColumnLineage:
    """What each column of the merged table is made of."""
    of_meta = {column.name for column in RAW_META} & {column.name for column in merged_columns(())}
    parts = {name: one.asset for one in declared for name in one.parts}
    text = [
        *((parts.get(name, name), "value") for name in order if name != SOURCE_TEXT),
        ("raw_meta", "text"),
    ]
    made_of = {name: [("raw_meta", name)] for name in of_meta}
    for one in declared:
        made_of |= {each.name: [(one.asset, "details" if each.path else "value")] for each in one.columns}
        made_of[f"{one.asset}_status"] = [(one.asset, "status")]
    of_text = ("text", "text_source", "text_len", "text_language", "text_language_confidence")
    made_of |= dict.fromkeys(of_text, text)
    return lineage(key, **made_of, source_text=[("raw_meta", "text")])
