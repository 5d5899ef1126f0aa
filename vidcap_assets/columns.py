"""Column schemas and lineage of the tables, as Dagster shows them."""

import re
from importlib.resources import files

import dagster as dg
import pyarrow as pa

from resources.annotation.store import ANNOTATION_SCHEMA
from resources.meta import META_SCHEMA


def _arrow(schema: pa.Schema) -> dg.TableSchema:
    return dg.TableSchema([dg.TableColumn(field.name, str(field.type)) for field in schema])


def _warehouse(table: str) -> dg.TableSchema:
    """The columns of a table as the warehouse's own schema file declares them."""
    script = files("resources").joinpath("warehouse", "schema.sql").read_text()
    body = re.search(rf"TABLE IF NOT EXISTS {table} \((.*?)\n\);", script, re.DOTALL)
    assert body is not None, table
    columns = re.findall(r"(\w+) ([A-Z]+(?:\[\])?)", body[1])
    return dg.TableSchema([dg.TableColumn(name, kind) for name, kind in columns])


RAW_META = _arrow(META_SCHEMA)
ANNOTATION = _arrow(ANNOTATION_SCHEMA)
CAPTIONED_VIDEOS = _warehouse("captioned_videos")

_VALUES = {
    "caption_pllava": "captions_pllava",
    "caption_llava": "captions_llava",
    "caption_gpt4v": "captions_gpt4v",
    "cmotion": "camera_motion",
    "objects": "tags_objects",
    "actions": "tags_actions",
}
_TEXT = [
    dg.TableColumnDep(dg.AssetKey(asset), "value")
    for asset in _VALUES.values()
    if asset.startswith("captions")
]


def _captioned_videos_lineage() -> dg.TableColumnLineage:
    deps = {
        column.name: [dg.TableColumnDep(dg.AssetKey("raw_meta"), column.name)]
        for column in CAPTIONED_VIDEOS.columns
        if column.name in META_SCHEMA.names
    }
    for column, asset in _VALUES.items():
        deps[column] = [dg.TableColumnDep(dg.AssetKey(asset), "value")]
        deps[f"{asset}_status"] = [dg.TableColumnDep(dg.AssetKey(asset), "status")]
    deps["text"] = [*_TEXT, dg.TableColumnDep(dg.AssetKey("raw_meta"), "text")]
    deps["text_source"] = deps["text_len"] = deps["text"]
    deps["source_text"] = [dg.TableColumnDep(dg.AssetKey("raw_meta"), "text")]
    return dg.TableColumnLineage(deps)


CAPTIONED_VIDEOS_LINEAGE = _captioned_videos_lineage()
