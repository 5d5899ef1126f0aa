"""Running a job from a program: ``dagster job execute`` in a process of its own."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

# How Dagster is told the shards of a run: these tags are part of its contract.
PARTITION = "dagster/partition"
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
QUIET = {"loggers": {"console": {"config": {"log_level": "INFO"}}}}


def shard_tags(shards: Sequence[str]) -> dict[str, str]:
    """The run tags that select one shard, or a contiguous range from the first to the last of several."""
    if len(shards) == 1:
        return {PARTITION: shards[0]}
    return {RANGE_START: shards[0], RANGE_END: shards[-1]}


def contiguous(order: Sequence[str], wanted: Collection[str], at_most: int) -> list[list[str]]:
    """``wanted`` in runs of neighbours in ``order``, none longer than ``at_most``: what range tags can select."""
    ranges: list[list[str]] = []
    current: list[str] = []
    for shard in order:
        if current and (shard not in wanted or len(current) == at_most):
            ranges.append(current)
            current = []
        if shard in wanted:
            current.append(shard)
    return [*ranges, current] if current else ranges


def execute_job(
    job: str,
    tags: Mapping[str, str] | None = None,
    config: Mapping[str, Any] = QUIET,
    *,
    module: str = "vidcap_assets.definitions",
) -> int:
    """Run a job to its end, its log on this terminal; the exit code (0: success, 1: the run failed)."""
    with tempfile.TemporaryDirectory() as folder:
        # JSON is YAML.
        run_config = Path(folder, "run.yaml")
        run_config.write_text(json.dumps(config))
        command = [sys.executable, "-W", "ignore", "-m", "dagster", "job", "execute"]
        command += ["-m", module, "-j", job, "-c", str(run_config)]
        if tags:
            command += ["--tags", json.dumps(tags)]
        return subprocess.run(command, check=False).returncode
