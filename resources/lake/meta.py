"""Raw metadata of a shard: what the probe says of each clip, as rows of one table."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from resources.annotation.clip import Span
from resources.annotation.outcome import ClipError
from resources.annotation.tables import RAW_META, arrow
from resources.lake.shards import IndexedClip

if TYPE_CHECKING:
    from resources.video import IsolatedWorkers

META_SCHEMA = arrow(RAW_META)


def probe_clips(clips: Sequence[IndexedClip], workers: "IsolatedWorkers") -> pa.Table:
    """One row a clip, in their order, read from the headers of the files.

    A file that cannot be read has ``probe_error`` (``<error kind>: <message>``) and NULL in what it would
    have told.
    """
    from resources.video.probe import probe_many

    probes = probe_many(
        [(Path(clip.path), clip.kind, Span.parse(clip.span) if clip.span else None) for clip in clips],
        workers,
    )
    return pa.Table.from_pylist(
        [_row(clip, probe) for clip, probe in zip(clips, probes, strict=True)], schema=META_SCHEMA
    )


def _row(clip: IndexedClip, probe: object) -> dict[str, object]:
    known = {name: getattr(clip, name) for name in IndexedClip.__dataclass_fields__}
    known["content_id"] = clip.shown
    if isinstance(probe, ClipError):
        return {**known, "probe_error": str(probe)}
    return {**known, **{name: getattr(probe, name) for name in META_SCHEMA.names if hasattr(probe, name)}}
