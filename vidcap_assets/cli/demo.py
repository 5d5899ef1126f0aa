"""``make demo``: index the demo clips, caption all shards by the jobs, and show what came out and where."""

import os
import sys
import time

from rich.console import Console
from rich.table import Table

from resources.lake.lake import Lake
from resources.warehouse import Warehouse
from vidcap_assets.automation.launch import execute_job, shard_tags
from vidcap_assets.collection import environment

_SHARD_SIZE = "16"

_COUNTS = """
SELECT annotator,
       count(*) AS clips,
       count(*) FILTER (status = 'ok'),
       count(*) FILTER (status = 'failed'),
       count(*) FILTER (status = 'skipped'),
       sum(seconds)
FROM annotations WHERE is_current
GROUP BY annotator ORDER BY min(created_at)
"""
_EXAMPLES = """
SELECT path, caption_pllava, cmotion, objects, actions
FROM captioned_videos
WHERE caption_pllava IS NOT NULL AND camera_motion_status = 'ok'
QUALIFY row_number() OVER (PARTITION BY len(objects) > 0, len(actions) > 0 ORDER BY cmotion, path) = 1
ORDER BY len(objects) DESC, path LIMIT 3
"""
_UNREADABLE = "SELECT path, probe_error FROM captioned_videos WHERE probe_error IS NOT NULL ORDER BY path"


def main() -> int:
    """Run the demo; the exit code of the first job that failed, else 0."""
    console = Console()
    os.environ.setdefault("VIDCAP_SHARD_SIZE", _SHARD_SIZE)
    started = time.monotonic()
    console.rule("1/2  dagster job execute -j index_videos")
    if code := execute_job("index_videos"):
        return code
    shards = Lake(environment.home()).shards()
    console.rule(f"2/2  dagster job execute -j caption_videos, {shards[0]} to {shards[-1]}")
    if code := execute_job("caption_videos", shard_tags(shards)):
        return code
    _show(console, time.monotonic() - started)
    return 0


def _show(console: Console, seconds: float) -> None:
    with Warehouse(environment.warehouse()).connect(read_only=True) as database:
        counts = database.execute(_COUNTS).fetchall()
        examples = database.execute(_EXAMPLES).fetchall()
        unreadable = database.execute(_UNREADABLE).fetchall()
    console.rule(f"done in {seconds:.0f} s")
    table = Table("annotator", "clips", "ok", "failed", "skipped", "model seconds")
    for name, clips, ok, failed, skipped, spent in counts:
        table.add_row(name, str(clips), str(ok), str(failed), str(skipped), f"{spent or 0:.1f}")
    console.print(table)
    table = Table("file", "caption", "camera motion", "objects", "actions", title="Three of the rows")
    for path, caption, motion, objects, actions in examples:
        table.add_row(_short(path), caption, motion, ", ".join(objects or []), ", ".join(actions or []))
    console.print(table)
    if unreadable:
        table = Table("file", "why there is no caption", title="Files that cannot be read keep their rows")
        for path, error in unreadable:
            table.add_row(_short(path), error)
        console.print(table)
    console.print(
        f"Database: {environment.warehouse()}\n"
        f"Lake:     {environment.home()}/lake (Parquet, one file for each asset and shard)\n\n"
        "Next:\n"
        "  .venv/bin/vidcap report            a gallery of these clips with what every captioner said\n"
        "  make ui                            the asset graph, partitions and logs on http://127.0.0.1:3000\n"
        "  .venv/bin/vidcap run /your/videos  the same for files of your own (tiny models: see the README)",
        soft_wrap=True,
        highlight=False,
    )


def _short(path: str) -> str:
    return "/".join(path.split("/")[-2:])


if __name__ == "__main__":
    sys.exit(main())
