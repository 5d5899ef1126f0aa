"""The columns of the tables, declared once: Arrow's schemas, DuckDB's main table and what Dagster shows follow.

Imports nothing heavy. Tables of the lake have Arrow's types by their aliases, ``captioned_videos`` those of DuckDB.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from resources.annotation.declaration import Column, Declaration

if TYPE_CHECKING:
    import pyarrow as pa

_ID = Column("id", "string", "stable name of the clip")
_SHARD = Column("shard", "string", "the shard, and so the partition, of the clip")

RAW_META = (
    _ID,
    Column("path", "string", "the video or image file"),
    Column("kind", "string", "video or image"),
    Column("num_frames", "int64", "frames in the file; 1 for an image"),
    Column("height", "int64", "pixels as displayed"),
    Column("width", "int64", "pixels as displayed"),
    Column("aspect_ratio", "double", "height / width"),
    Column("resolution", "int64", "height × width in pixels"),
    Column("fps", "double", "average frames per second"),
    Column("duration_s", "double", "seconds"),
    Column("codec", "string", "codec of the video stream, or the image format"),
    Column("content_id", "string", "hash of the file's bytes"),
    Column("text", "string", "the text that came with the source list"),
    Column("probe_error", "string", "why the file cannot be read; NULL where it can"),
    Column("duplicate_of", "string", "the first clip with the same content"),
    Column("is_vfr", "bool", "does the frame rate vary?"),
    Column("rotation", "int64", "degrees by which the file asks to be turned"),
    Column("bit_depth", "int64", "bits of a colour channel"),
    Column("has_audio", "bool", "is there a sound stream?"),
    Column("file_size", "int64", "bytes"),
    Column("extra", "string", "what else the source list said of the clip, as JSON, and its row there"),
    Column(
        "start_s", "double", "where in the file the clip begins, in seconds; NULL where it is the whole file"
    ),
    Column("end_s", "double", "where in the file the clip ends, in seconds; NULL where it is the whole file"),
)
OUTCOME = (
    _ID,
    Column("input_key", "string", "hash of what the annotator was shown"),
    Column("value", "string", "the answer; lists as JSON"),
    Column("status", "string", "ok, failed or skipped"),
    Column("error_kind", "string", "why it failed, one of a closed set"),
    Column("error", "string", "why it failed or was skipped, in words"),
    Column("finish_reason", "string", "how the model ended: stop or length"),
    Column("tokens_in", "int64", "tokens the model was given"),
    Column("tokens_out", "int64", "tokens the model wrote"),
    Column("seconds", "double", "the clip's share of the model's time"),
    Column("cost_usd", "double", "US$ paid for the answer; NULL where nothing is paid"),
    Column("details", "string", "what else the annotator measured, as JSON"),
    Column("attempt", "int32", "how often the clip was tried"),
    Column("run_id", "string", "the Dagster run that answered"),
    Column("created_at", "timestamp[us]", "when, UTC"),
)
ANNOTATION = (
    _ID,
    _SHARD,
    Column("annotator", "string", "the asset that answered"),
    Column("fingerprint", "string", "hash of the recipe of the answer"),
    *OUTCOME[1:],
    Column("current", "bool", "does this recipe count now?"),
)

_SQL = {"string": "VARCHAR", "int64": "BIGINT", "double": "DOUBLE"}
_OF_META = {one.name: replace(one, type=_SQL[one.type]) for one in (*RAW_META, _SHARD) if one.type in _SQL}


def merged_columns(declared: Sequence[Declaration]) -> list[Column]:
    """The merged table: the clip's own columns, and what each annotator declares."""
    names = ("id", "path", "shard", *(one.name for one in RAW_META[2:12]))
    return [
        *(_OF_META[name] for name in names),
        *(column for one in declared for column in one.columns),
        Column("text", "VARCHAR", "the text to train on"),
        Column("text_source", "VARCHAR", "where the text came from: a captioner, or the source list"),
        Column("text_len", "BIGINT", "words of the text"),
        *(one.in_table[-1] for one in declared),
        _OF_META["probe_error"],
        _OF_META["duplicate_of"],
        replace(_OF_META["text"], name="source_text"),
        replace(_OF_META["extra"], type="JSON"),
        _OF_META["start_s"],
        _OF_META["end_s"],
        Column("text_language", "VARCHAR", "ISO 639 code; NULL where the text does not tell its language"),
        Column("text_language_confidence", "DOUBLE", "how probable that language is, from 0 to 1"),
    ]


def arrow(columns: Sequence[Column]) -> "pa.Schema":
    """The Arrow schema of a table of the lake."""
    import pyarrow as pa

    return pa.schema([(one.name, pa.type_for_alias(one.type)) for one in columns])
