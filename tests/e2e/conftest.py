import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest

from resources.lake.indexing import index_source
from resources.lake.lake import Lake
from resources.lake.meta import probe_clips
from resources.source.source import survey
from resources.video import IsolatedWorkers

ECHO = "tests.e2e.echo_definitions"
PRODUCT = "vidcap_assets.definitions"
ROOT = Path(__file__).parents[2]


@dataclass
class Workplace:
    """A folder with a home and a collection, in which jobs are run by ``dagster job execute``.

    Without a DAGSTER_HOME every command gets an instance of its own, which is gone when it ends.
    """

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.source.mkdir()

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def source(self) -> Path:
        return self.folder / "source"

    @property
    def calls(self) -> Path:
        return self.folder / "calls.txt"

    @property
    def lake(self) -> Lake:
        return Lake(self.home)

    def index_and_probe(self, shard_size: int = 500) -> None:
        """What the first two assets do, by plain Python: a process for each would only cost time here."""
        with IsolatedWorkers(1) as workers:
            indexed = index_source(self.lake, lambda: survey(self.source), shard_size, workers)
            for shard, clips in indexed.written.items():
                self.lake.write_meta(shard, probe_clips(clips, workers))

    def start(
        self,
        job: str,
        shard: str | None = None,
        *,
        module: str = ECHO,
        config: Path | None = None,
        **environment: str,
    ) -> subprocess.Popen:
        command = [sys.executable, "-W", "ignore", "-m", "dagster", "job", "execute", "-m", module, "-j", job]
        if shard is not None and ".." in shard:
            start, end = shard.split("..")
            tags = {"dagster/asset_partition_range_start": start, "dagster/asset_partition_range_end": end}
            command += ["--tags", json.dumps(tags)]
        elif shard is not None:
            command += ["--tags", json.dumps({"dagster/partition": shard})]
        if config is not None:
            command += ["-c", str(config)]
        base = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("VIDCAP_", "DAGSTER", "OPENAI", "ECHO_"))
        }
        mine = {
            "PYTHONPATH": str(ROOT),
            "DAGSTER_DISABLE_TELEMETRY": "1",
            "VIDCAP_HOME": str(self.home),
            "VIDCAP_SOURCE": str(self.source),
            "ECHO_FOLDER": str(self.folder),
        }
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=base | mine | self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, job: str, shard: str | None = None, **options: Any) -> tuple[int, str]:
        process = self.start(job, shard, **options)
        try:
            output, _ = process.communicate(timeout=240)
        finally:
            kill_group(process)
        return process.returncode, output

    def succeed(self, job: str, shard: str | None = None, **options: Any) -> str:
        code, output = self.run(job, shard, **options)
        assert code == 0, output[-6000:]
        return output

    def batches(self) -> list[tuple[int, list[str]]]:
        """Process and ids of each batch that the echo was given, in order."""
        if not self.calls.exists():
            return []
        lines = [line.split() for line in self.calls.read_text().splitlines()]
        return [(int(pid), ids) for pid, *ids in lines]

    def query(self, sql: str) -> list[tuple]:
        with duckdb.connect(str(self.home / "vidcap.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()


def kill_group(process: subprocess.Popen) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 120) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s} s for {what}"
        time.sleep(0.02)


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)
