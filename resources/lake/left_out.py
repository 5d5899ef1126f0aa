"""What of a source is no clip, by kind and reason: files, folders that are not looked through, clips that are gone."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from resources.lake.contents import path_text
from resources.lake.shards import IndexedClip
from resources.source.kinds import SYSTEM_FOLDERS

LEFT_OUT_SCHEMA = pa.schema([(name, pa.string()) for name in ("path", "kind", "reason")])
GONE = "gone from the source; its answers are kept until it is back"


def left_out_table(reasons: Mapping[Path, str | None], clips: Iterable[IndexedClip]) -> pa.Table:
    """One row for each file or folder that is no clip, and for each clip that is gone.

    ``kind`` is the suffix, or the whole name of system folders and of what has no suffix.
    """
    rows = [(path_text(path), _kind(path), reason) for path, reason in reasons.items()]
    rows += [(clip.path, _kind(Path(clip.path)), GONE) for clip in clips if clip.gone]
    return pa.Table.from_pylist(
        [dict(zip(LEFT_OUT_SCHEMA.names, row, strict=True)) for row in rows], schema=LEFT_OUT_SCHEMA
    )


def counted(left_out: pa.Table) -> list[dict[str, Any]]:
    """``kind``, ``reason``, how many ``files`` and an ``example``, the most first."""
    groups = left_out.group_by(["kind", "reason"]).aggregate([("path", "count"), ("path", "min")])
    named = groups.rename_columns({"path_count": "files", "path_min": "example"})
    return named.sort_by([("files", "descending"), ("kind", "ascending")]).to_pylist()


def lines(left_out: pa.Table) -> list[str]:
    """The same as one line each."""
    return ["{files} {kind}: {reason} ({example})".format_map(row) for row in counted(left_out)]


def _kind(path: Path) -> str:
    return path.name if path.name.lower() in SYSTEM_FOLDERS else path.suffix.lower() or path.name
