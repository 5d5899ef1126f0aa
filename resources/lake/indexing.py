"""Indexing: the files of a source, read where they are new, become clips of shards."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from resources.annotation.outcome import ClipError
from resources.annotation.progress import ShardProgress, untold
from resources.lake.contents import read_contents
from resources.lake.lake import Lake
from resources.lake.left_out import left_out_table, lines
from resources.lake.shards import IndexUpdate, read_before, update_index
from resources.source.source import SourceError, Survey
from resources.storage.files import write_table

if TYPE_CHECKING:
    from resources.video import IsolatedWorkers


def index_source(
    lake: Lake,
    look: Callable[[], Survey],
    shard_size: int,
    workers: "IsolatedWorkers",
    log: Callable[[str], None] = print,
    tell: Callable[[ShardProgress], None] = untold,
) -> IndexUpdate:
    """Look at the source and bring the shards up to it; what is stopped on the way reads nothing twice.

    Raises:
        SourceError: the source cannot be used, or has no clip.
        IndexBusyError: another process is indexing.
    """
    with lake.index_lock():
        found = look()
        shards = {shard: lake.whole_manifest(shard) for shard in lake.all_shards()}
        named = {entry.path: entry.kind for entry in found.entries}
        contents = read_contents(named, read_before(shards), workers, lake.index_notes, log, tell)
        reasons = found.left_out | {
            path: content.message
            for path, content in contents.items()
            if named[path] is None and isinstance(content, ClipError)
        }
        if len(reasons) == len(found.left_out) + len(named):
            said = "; ".join(lines(left_out_table(reasons, [])))
            raise SourceError(f"the source has no videos or images in it, only {said}")
        update = update_index(found.entries, shards, shard_size, contents)
        for shard, clips in update.written.items():
            lake.write_manifest(shard, clips)
        rows = (clip for clips in (shards | update.written).values() for clip in clips)
        write_table(lake.left_out_file, left_out_table(reasons, rows))
        if lake.index_notes is not None:
            lake.index_notes.unlink(missing_ok=True)
    return update
