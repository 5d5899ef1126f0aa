"""What the warehouse costs as it grows: merging a shard, rebuilding, exporting, and the memory of it all.

    python benchmarks/warehouse.py                    1,000,000 clips in 2,000 shards (about 4 GB of disk)
    python benchmarks/warehouse.py --clips 100000     a quicker look

Prints seconds per merged shard when the tables hold 10,000 clips and when they hold all of them, with their
ratio (bar: 1.5), the time of a rebuild from the lake, rows a second of an export, and the peak memory of each
part (bar: 2 GiB), every part in a process of its own.
"""

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from resources.annotation.recipe import Recipe
from resources.annotation.store import ANNOTATION_SCHEMA
from resources.dataset.export import export_training_set
from resources.dataset.export_set import ExportFormat, ExportOptions
from resources.lake.lake import INDEX, META, Lake
from resources.lake.meta import META_SCHEMA
from resources.lake.shards import MANIFEST_SCHEMA, shard_name
from resources.warehouse import ANNOTATORS, Warehouse

ORDER = ("captions_gpt4v", "captions_pllava", "captions_llava")
SMALL = 10_000
SAMPLES = 30
_VOCABULARY = """
    a red blue green wooden old small large ball dog child river mountain street car bird rolls runs stands flies slowly
    quickly over under beside the grass water table road under a cloudy sky in soft light while camera moves
"""
_WORDS = _VOCABULARY.split()


def quiet(line: str) -> None:
    """Say nothing."""


def write_lake(root: Path, clips: int, shard_size: int) -> None:
    """A lake as a finished run of all annotators leaves it: captions of about 60 words, tags, camera motion."""
    random = np.random.default_rng(0)
    lake = Lake(root)
    recipes = {name: Recipe(name, {"model": f"model-of-{name}"}) for name in ANNOTATORS}
    for recipe in recipes.values():
        lake.remember(recipe)
    captions = pa.array([" ".join(random.choice(_WORDS, 60)).capitalize() + "." for _ in range(4_000)])
    tags = pa.array([json.dumps(list(random.choice(_WORDS, 4))) for _ in range(500)])
    motions = pa.array(["static", "pan_left", "pan_right+zoom_in", "tilt_up"])
    said = dict.fromkeys(ANNOTATORS, captions) | {
        "camera_motion": motions, "tags_objects": tags, "tags_actions": tags
    }  # fmt: skip
    for folder in (INDEX, META, *ANNOTATORS):
        (root / "lake" / folder).mkdir(parents=True, exist_ok=True)
    same = partial(pa.repeat, size=shard_size)
    always = {
        "kind": same("video"), "aspect_ratio": same(0.5625), "fps": same(24.0), "codec": same("h264"),
        "status": same("ok"), "finish_reason": same("stop"), "attempt": same(pa.scalar(1, pa.int32())),
        "run_id": same("bench"), "current": same(True),
        "created_at": same(pa.scalar(datetime.now(UTC).replace(tzinfo=None), pa.timestamp("us"))),
    }  # fmt: skip
    of_annotator = {
        name: {"annotator": same(name), "fingerprint": same(recipe.fingerprint)}
        for name, recipe in recipes.items()
    }

    def write_shard(number: int) -> None:
        shard, random = shard_name(number), np.random.default_rng((0, number))
        digits = random.bytes(8 * shard_size).hex()
        ids = pa.array([digits[start : start + 16] for start in range(0, len(digits), 16)])
        width = random.choice([640, 1280, 1920], shard_size)
        frames = random.integers(16, 600, shard_size)
        columns = {
            **always, "id": ids, "content_id": ids, "shard": same(shard), "input_key": ids,
            "path": pc.binary_join_element_wise(f"/videos/{shard}/", ids, ".mp4", ""),
            "num_frames": frames, "duration_s": frames / 24.0, "width": width, "height": width * 9 // 16,
            "resolution": width * width * 9 // 16,
        }  # fmt: skip
        _write(lake, META, shard, META_SCHEMA, columns, shard_size)
        _write(lake, INDEX, shard, MANIFEST_SCHEMA, columns, shard_size)
        for name in ANNOTATORS:
            answers = {
                **columns, **of_annotator[name],
                "value": said[name].take(pa.array(random.integers(0, len(said[name]), shard_size))),
                "tokens_in": random.integers(100, 900, shard_size), "tokens_out": random.integers(20, 90, shard_size),
                "seconds": random.random(shard_size),
            }  # fmt: skip
            _write(lake, name, shard, ANNOTATION_SCHEMA, answers, shard_size)

    with ThreadPoolExecutor() as writers:
        for _ in writers.map(write_shard, range(clips // shard_size)):
            pass


def _write(lake: Lake, asset: str, shard: str, schema: pa.Schema, columns: dict, rows: int) -> None:
    arrays = [
        pa.array(columns[field.name], field.type) if field.name in columns else pa.nulls(rows, field.type)
        for field in schema
    ]
    pq.write_table(pa.table(arrays, schema=schema), str(lake.file(asset, shard)), compression="zstd")


def merge_seconds(lake: Lake, shards: list[str], small: Warehouse, large: Warehouse) -> list[list[float]]:
    """Wall and CPU seconds of merging each shard into both, turn by turn: a busy machine disturbs both alike."""
    seconds = []
    for shard in shards:
        row = []
        for warehouse in (small, large):
            wall, cpu = time.perf_counter(), time.process_time()
            warehouse.merge(lake, shard, ORDER)
            row += [time.perf_counter() - wall, time.process_time() - cpu]
        seconds.append(row)
    return [statistics.median(column) for column in zip(*seconds, strict=True)]


def part_merges(root: Path) -> dict:
    """The rebuild, and the cost of new and of replaced shards beside those of a warehouse of 10,000 clips."""
    lake = Lake(root)
    large, small = (Warehouse(str(root / name), log=quiet) for name in ("vidcap.duckdb", "small.duckdb"))
    shards = lake.shards()
    few = shards[: SMALL // pq.read_metadata(str(lake.file(META, shards[0]))).num_rows]
    for shard in few:
        small.merge(lake, shard, ORDER)
    started, cpu = time.perf_counter(), time.process_time()
    clips = large.rebuild(lake, ORDER)
    rebuild, rebuild_cpu = time.perf_counter() - started, time.process_time() - cpu
    last = shards[-SAMPLES:]
    with large.connect() as connection:
        for table in ("annotations", "captioned_videos"):
            connection.execute(f"DELETE FROM {table} WHERE shard >= ?", [last[0]])
    merge_seconds(lake, few[:3], small, large)
    return {
        "clips": clips,
        "new": merge_seconds(lake, last, small, large),
        "again": merge_seconds(lake, few, small, large),
        "rebuild": rebuild,
        "rebuild_cpu": rebuild_cpu,
    }


def part_export(root: Path) -> dict:
    """Export everything; rows a second with the tables alone and with every format."""
    warehouse, result = Warehouse(str(root / "vidcap.duckdb"), log=quiet), {}
    for name, formats in (("tables", (ExportFormat.CSV,)), ("everything", tuple(ExportFormat))):
        started = time.perf_counter()
        made = export_training_set(
            warehouse, Lake(root).folder("exports"), ExportOptions(formats=formats), log=quiet
        )
        result[name] = made.rows / (time.perf_counter() - started)
    return result


PARTS = {"merges": part_merges, "export": part_export}


def _in_a_process(part: str, root: Path) -> dict:
    command = [sys.executable, __file__, "--part", part, "--root", str(root)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def main() -> None:
    """Run all parts and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=1_000_000)
    parser.add_argument("--shard-size", type=int, default=500)
    parser.add_argument("--root", type=Path, help="keep the lake here and use it again")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        result = PARTS[options.part](options.root)
        result["peak_gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
        print(json.dumps(result))
        return
    with tempfile.TemporaryDirectory() as temp:
        root = options.root or Path(temp)
        if not Lake(root).shards():
            started = time.perf_counter()
            write_lake(root, options.clips, options.shard_size)
            print(
                f"{options.clips:,} clips written to a lake in {time.perf_counter() - started:.0f} s",
                flush=True,
            )
        for leftover in root.glob("*.duckdb*"):
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        merges = _in_a_process("merges", root)
        for kind in ("new", "again"):
            wall, cpu, large_wall, large_cpu = merges[kind]
            print(
                f"merge of a shard, {kind}: {wall:.3f} s ({cpu:.3f} s of CPU) at 10k clips, "
                f"{large_wall:.3f} s ({large_cpu:.3f} s) at {merges['clips']:,}, "
                f"ratio {large_wall / wall:.2f} ({large_cpu / cpu:.2f})"
            )
        rate = merges["clips"] / merges["rebuild"]
        print(
            f"rebuild of {merges['clips']:,} clips: {merges['rebuild']:.0f} s "
            f"({merges['rebuild_cpu']:.0f} s of CPU), {rate:,.0f} clips/s; "
            f"peak of merges and rebuild {merges['peak_gib']:.2f} GiB",
            flush=True,
        )
        export = _in_a_process("export", root)
        print(
            f"export: {export['tables']:,.0f} rows/s (Parquet, CSV), {export['everything']:,.0f} rows/s (all formats), "
            f"peak {export['peak_gib']:.2f} GiB"
        )
        print(f"database {(root / 'vidcap.duckdb').stat().st_size / 1e6:,.0f} MB")
        if options.root:
            shutil.rmtree(root / "exports", ignore_errors=True)


if __name__ == "__main__":
    main()
