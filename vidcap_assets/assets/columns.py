"""Columns of the tables as Dagster shows them: type, meaning, and what each is made of."""

import re
from collections.abc import Callable, Sequence
from importlib.resources import files

import dagster as dg

from resources.annotation.declaration import SOURCE_TEXT, Declaration

_MEANING = {
    "id": "stable name of the clip",
    "path": "the video or image file",
    "shard": "the shard, and so the partition, of the clip",
    "kind": "video or image",
    "num_frames": "frames in the file; 1 for an image",
    "height": "pixels as displayed",
    "width": "pixels as displayed",
    "aspect_ratio": "height / width",
    "resolution": "height × width in pixels",
    "fps": "average frames per second",
    "duration_s": "seconds",
    "codec": "codec of the video stream, or the image format",
    "content_id": "hash of the file's bytes",
    "probe_error": "why the file cannot be read; NULL where it can",
    "duplicate_of": "the first clip with the same content",
    "source_text": "the text that came with the source list",
    "extra": "what else the source list said of the clip, as JSON, and its row there",
    "is_vfr": "does the frame rate vary?",
    "rotation": "degrees by which the file asks to be turned",
    "bit_depth": "bits of a colour channel",
    "has_audio": "is there a sound stream?",
    "file_size": "bytes",
    "annotator": "the asset that answered",
    "fingerprint": "hash of the recipe of the answer",
    "input_key": "hash of what the annotator was shown",
    "value": "the answer; lists as JSON",
    "status": "ok, failed or skipped",
    "error_kind": "why it failed, one of a closed set",
    "error": "why it failed or was skipped, in words",
    "finish_reason": "how the model ended: stop or length",
    "tokens_in": "tokens the model was given",
    "tokens_out": "tokens the model wrote",
    "seconds": "the clip's share of the model's time",
    "cost_usd": "US$ paid for the answer; NULL where nothing is paid",
    "details": "what else the annotator measured, as JSON",
    "attempt": "how often the clip was tried",
    "run_id": "the Dagster run that answered",
    "created_at": "when, UTC",
    "current": "does this recipe count now?",
    "text": "the text to train on",
    "text_source": "where the text came from: a captioner, or the source list",
    "text_len": "words of the text",
}


def _table(declared: str) -> dg.TableSchema:
    """Columns declared as in SQL: ``name type, name type[], …``."""
    columns = re.findall(r"(\w+) (\w+(?:\[\w*\])?)", declared)
    return dg.TableSchema(
        [
            dg.TableColumn(
                name,
                kind,
                _MEANING.get(name) or f"status of {name.removesuffix('_status')}: ok, failed, skipped",
            )
            for name, kind in columns
        ]
    )


def _warehouse(table: str) -> dg.TableSchema:
    """The columns of a table as the warehouse's own schema file declares them."""
    script = files("resources").joinpath("warehouse", "schema.sql").read_text()
    body = re.search(rf"TABLE IF NOT EXISTS {table} \((.*?)\n\);", script, re.DOTALL)
    assert body is not None, table
    return _table(body[1])


# The Arrow schemas of the lake in words: to ask Arrow itself would load it into every process.
RAW_META = _table(
    "id string, path string, kind string, num_frames int64, height int64, width int64, aspect_ratio double, "
    "resolution int64, fps double, duration_s double, codec string, content_id string, text string, "
    "probe_error string, duplicate_of string, is_vfr bool, rotation int64, bit_depth int64, has_audio bool, "
    "file_size int64, extra string"
)
ANNOTATION = _table(
    "id string, shard string, annotator string, fingerprint string, input_key string, value string, "
    "status string, error_kind string, error string, finish_reason string, tokens_in int64, tokens_out int64, "
    "seconds double, cost_usd double, details string, attempt int32, run_id string, created_at timestamp[us], "
    "current bool"
)


Keys = Callable[[str], dg.AssetKey]


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


_RAW = {column.name for column in RAW_META.columns} - {"text"}


def captioned_videos_schema(declared: Sequence[Declaration]) -> dg.TableSchema:
    """The merged table's columns: the clip's own, then what each annotator declares."""
    added = [column for one in declared for column in one.in_table]
    return dg.TableSchema(
        [
            *_warehouse("captioned_videos").columns,
            *(dg.TableColumn(one.name, one.type, one.meaning) for one in added),
        ]
    )


def captioned_videos_lineage(
    key: Keys, declared: Sequence[Declaration], order: Sequence[str]
) -> dg.TableColumnLineage:
    """What each column of the merged table is made of."""
    own = [column.name for column in _warehouse("captioned_videos").columns]
    added = [(one, column) for one in declared for column in one.columns]
    text = [*((asset, "value") for asset in order if asset != SOURCE_TEXT), ("raw_meta", "text")]
    return lineage(
        key,
        **{name: [("raw_meta", name)] for name in own if name in _RAW},
        **{column.name: [(one.asset, "details" if column.path else "value")] for one, column in added},
        **{f"{one.asset}_status": [(one.asset, "status")] for one in declared},
        text=text, text_source=text, text_len=text, source_text=[("raw_meta", "text")],
    )  # fmt: skip


def training_set_lineage(key: Keys) -> dg.TableColumnLineage:
    """What each column of the training set is made of."""
    columns = [
        "path",
        "text",
        "num_frames",
        "fps",
        "height",
        "width",
        "aspect_ratio",
        "resolution",
        "text_len",
    ]
    return lineage(key, **{name: [("captioned_videos", name)] for name in columns})
