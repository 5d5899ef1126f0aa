"""Indexing: the files of a source, read where they are new, become clips of shards."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resources.annotation.progress import ShardProgress, untold
from resources.lake.contents import FileState, States, read_contents
from resources.lake.lake import Lake
from resources.lake.left_out import LeftOut, counted, left_out_table
from resources.lake.shards import IndexUpdate, update_index
from resources.source.source import SourceError, Survey

if TYPE_CHECKING:
    from resources.video import IsolatedWorkers


@dataclass(frozen=True)
class Indexed:
    """What indexing came to: the clips that are there, all shards, what changed, what is left out."""

    clips: int
    shards: list[str]
    update: IndexUpdate
    left_out: list[LeftOut]


def index_source(
    lake: Lake,
    source: Callable[[], Survey],
    shard_size: int,
    workers: "IsolatedWorkers",
    log: Callable[[str], None] = print,
    tell: Callable[[ShardProgress], None] = untold,
) -> Indexed:
    """Look at the source and bring the shards up to it; what is stopped on the way reads nothing twice.

    Raises:
        SourceError: the source cannot be used, or has no clip.
        IndexBusyError: another process is indexing.
    """
    with lake.index_lock():
        found = source()
        existing = {shard: lake.whole_manifest(shard) for shard in lake.shards()}
        known: States = defaultdict(list)
        for clip in (clip for clips in existing.values() for clip in clips if clip.content_id):
            known[clip.path].append(clip.file)
        for row in lake.left_out().to_pylist():
            state = FileState(row["file_size"], row["mtime_ns"], row["ctime_ns"], reason=row["reason"])
            known[row["path"]].append(state)
        files = read_contents(
            {entry.path: entry.kind for entry in found.entries}, known, workers, lake.index_notes, log, tell
        )
        none = {path: FileState(reason=reason) for path, reason in found.left_out.items()}
        if not any(state.kind for state in files.values()):
            reasons = "; ".join(map(str, counted(left_out_table({**files, **none}, []))))
            raise SourceError(f"the source has no videos or images in it, only {reasons}")
        update = update_index(found.entries, existing, shard_size, files)
        for shard, clips in {**update.rewritten, **update.new}.items():
            lake.write_manifest(shard, clips)
        rows = [clip for clips in {**existing, **update.rewritten, **update.new}.values() for clip in clips]
        left_out = left_out_table({**files, **none}, rows)
        lake.write_left_out(left_out)
        if lake.index_notes is not None:
            lake.index_notes.unlink()
        return Indexed(sum(not clip.gone for clip in rows), lake.shards(), update, counted(left_out))
