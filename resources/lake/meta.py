"""Raw metadata of a shard: what the probe says of each clip, as rows of one table."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from resources.annotation.outcome import ClipError
from resources.lake.shards import IndexedClip

if TYPE_CHECKING:
    from resources.video import IsolatedWorkers

META_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("path", pa.string()),
        ("kind", pa.string()),
        ("num_frames", pa.int64()),
        ("height", pa.int64()),
        ("width", pa.int64()),
        ("aspect_ratio", pa.float64()),
        ("resolution", pa.int64()),
        ("fps", pa.float64()),
        ("duration_s", pa.float64()),
        ("codec", pa.string()),
        ("content_id", pa.string()),
        ("text", pa.string()),
        ("probe_error", pa.string()),
        ("duplicate_of", pa.string()),
        ("is_vfr", pa.bool_()),
        ("rotation", pa.int64()),
        ("bit_depth", pa.int64()),
        ("has_audio", pa.bool_()),
        ("file_size", pa.int64()),
        ("extra", pa.string()),
    ]
)


def probe_clips(clips: Sequence[IndexedClip], workers: "IsolatedWorkers") -> pa.Table:
    """One row a clip, in their order, read from the headers of the files.

    A file that cannot be read has ``probe_error`` (``<error kind>: <message>``) and NULL in what it would
    have told.
    """
    from resources.video.probe import probe_many

    probes = probe_many([(Path(clip.path), clip.kind) for clip in clips], workers)
    return pa.Table.from_pylist(
        [_row(clip, probe) for clip, probe in zip(clips, probes, strict=True)], schema=META_SCHEMA
    )


def _row(clip: IndexedClip, probe: object) -> dict[str, object]:
    known = {name: getattr(clip, name) for name in IndexedClip.__dataclass_fields__}
    if isinstance(probe, ClipError):
        return {**known, "probe_error": str(probe)}
    return {**known, **{name: getattr(probe, name) for name in META_SCHEMA.names if hasattr(probe, name)}}
