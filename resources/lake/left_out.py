"""What of a source is no clip, by kind and reason: files, folders that are not looked through, clips that are gone."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from resources.lake.contents import FileState, path_text
from resources.lake.shards import IndexedClip
from resources.source.kinds import SYSTEM_FOLDERS

LEFT_OUT_SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("kind", pa.string()),
        ("reason", pa.string()),
        ("file_size", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("ctime_ns", pa.int64()),
    ]
)
GONE = "gone from the source; its answers are kept until it is back"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """So many files or folders of a kind (the suffix, or the name without one) are left out for a reason."""

    kind: str
    reason: str
    files: int
    example: str

    def __str__(self) -> str:
        return f"{self.files} {self.kind}: {self.reason} ({self.example})"


def left_out_table(files: Mapping[Path, FileState], clips: Iterable[IndexedClip]) -> pa.Table:
    """One row for each file or folder that is no clip, and for each clip that is gone."""
    rows = [
        {
            "path": path_text(path),
            "kind": path.name if path.name.lower() in SYSTEM_FOLDERS else path.suffix.lower() or path.name,
            "reason": state.reason,
            "file_size": state.size,
            "mtime_ns": state.mtime_ns,
            "ctime_ns": state.ctime_ns,
        }
        for path, state in files.items()
        if state.kind is None
    ]
    gone = [
        {"path": clip.path, "kind": Path(clip.path).suffix.lower() or clip.kind, "reason": GONE}
        for clip in clips
        if clip.gone
    ]
    return pa.Table.from_pylist(rows + gone, schema=LEFT_OUT_SCHEMA)


def counted(left_out: pa.Table) -> list[LeftOut]:
    """The table by kind and reason, the most first."""
    paths, kinds, reasons = (left_out[name].to_pylist() for name in ("path", "kind", "reason"))
    examples = dict(zip(zip(kinds, reasons, strict=True), paths, strict=True))
    return [
        LeftOut(kind, reason, files, examples[kind, reason])
        for (kind, reason), files in Counter(zip(kinds, reasons, strict=True)).most_common()
    ]
