"""A tiny collection with a paid captioner, its runs as processes of their own, and what has come of them."""

import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import av
import duckdb
import psutil
import pyarrow.parquet as pq

from resources.storage.files import TEMP_PREFIX
from tests.captioners.openai.misbehaving_server import MisbehavingServer, picture
from tests.faults.one_run import INTERRUPTED, run_collection

ROOT = Path(__file__).parents[2]
CLIPS, SHARD, IN_FLIGHT = 6, 3, 2
HANGS_AFTER_S = 300
_PASSING = {"mtime_ns", "seconds", "attempt", "run_id", "created_at", "started_at", "finished_at"}
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.faults.campaign"])
_COLLECTION = """type: vidcap_assets.Collection
attributes:
  home: home
  source: {{uri: "{source}", shard_size: {shard}}}
  decode: {{workers: 1}}
  annotators:
    - kind: openai
      name: gpt4v
      model: test-model
      base_url: "{url}"
      num_frames: 1
      prompt: What is it?
      max_concurrency: {in_flight}
      max_attempts: 2
      paid: true
      max_cost_usd: 100
      prices: {{test-model: {{input: 10, output: 100}}}}
    - {{kind: measures}}
"""


class Lost(Exception):
    """What a fault did that it must not do: one sentence."""


@dataclass
class Run:
    """A run that was started: the first process of a session of its own, and its log."""

    pid: int
    log: Path
    process: Any

    def code(self) -> int | None:
        if isinstance(self.process, subprocess.Popen):
            return self.process.poll()
        self.process.join(0)
        return self.process.exitcode

    def session(self) -> list[psutil.Process]:
        """Every living process of the run."""
        return [one for one in psutil.process_iter() if _session_of(one) == self.pid]

    def last_line(self) -> str:
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1].strip() if lines else ""


@dataclass
class World:
    """A folder for one fault: ``home``, the collection file and logs, all of it new."""

    folder: Path
    source: Path
    server: MisbehavingServer
    empty_history: Path
    whole: bool = False
    runs: list[Run] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True)
        if self.whole:
            self.begin_history()
        values = {"source": self.source, "shard": SHARD, "url": self.server.base_url, "in_flight": IN_FLIGHT}
        self.file.write_text(_COLLECTION.format(**values))
        self.server.wait_until_idle()
        self.server.charged.clear()

    def begin_history(self) -> None:
        """From here on Dagster remembers the runs; a forked run that does not costs a third."""
        shutil.copytree(self.empty_history, self.history)

    @property
    def history(self) -> Path:
        return self.folder / "history"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def file(self) -> Path:
        return self.folder / "vidcap.yaml"

    def start(self) -> Run:
        """The command, in a session of its own: forked, or ``vidcap run`` where the world is ``whole``."""
        log = self.folder / f"run-{len(self.runs)}.log"
        if self.whole:
            vidcap = [sys.executable, "-m", "vidcap_assets.cli", "run", "--captioners", "gpt4v", "--yes"]
            variables = {"PYTHONPATH": str(ROOT), "DAGSTER_HOME": str(self.history)}
            with open(log, "wb") as output:
                process: Any = subprocess.Popen(
                    vidcap,
                    cwd=self.folder,
                    env=os.environ | variables,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        else:
            log.touch()
            process = _FORKS.Process(target=run_collection, args=(str(self.folder), str(log)))
            process.start()
        run = Run(process.pid, log, process)
        self.runs.append(run)
        return run

    def finish(self, run: Run) -> int:
        """Wait for a run, and for every process that it started, to be gone.

        Raises:
            Lost: it hangs, or left a process, or failed without a sentence.
        """
        deadline = time.monotonic() + HANGS_AFTER_S
        while (code := run.code()) is None:
            if time.monotonic() > deadline:
                raise Lost(f"the run hangs; its last line: {run.last_line()!r}")
            time.sleep(0.02)
        deadline = time.monotonic() + 15
        while left := run.session():
            if time.monotonic() > deadline:
                raise Lost(f"left running: {[_command(one) for one in left]}")
            time.sleep(0.05)
        if code > 0 and code != INTERRUPTED and not _is_sentence(run.last_line()):
            raise Lost(f"the last line of a failure is no sentence: {run.last_line()!r}")
        return code

    def end_everything(self) -> None:
        for run in self.runs:
            for process in run.session():
                process.kill()

    def paid_twice(self) -> int:
        self.server.wait_until_idle()
        return self.server.charged.total() - len(self.server.charged)

    def content(self) -> dict[str, Any]:
        """Tables, lake, lineage and exports, without times and the ids of runs.

        Raises:
            Lost: a file of the lake cannot be read, or a temporary file is left.
        """
        if temps := [path for path in self.home.rglob(f"{TEMP_PREFIX}*") if path.is_file()]:
            raise Lost(f"temporary files are left: {temps}")
        found: dict[str, Any] = dict(self._tables())
        for path in sorted(self.home.glob("lake/*/*.parquet")):
            found[str(path.relative_to(self.home))] = _rows(pq.ParquetFile(path).read().to_pylist())
        found["recipes"] = sorted(path.name for path in self.home.glob("lake/recipes/*"))
        if not self.whole:  # `vidcap run` makes no exports
            files = sorted((self.home / "exports" / "training_set").glob("**/*.parquet"))
            found["export"] = [
                row for path in files for row in _rows(pq.ParquetFile(path).read().to_pylist())
            ]
        return found

    def _tables(self) -> Iterator[tuple[str, Any]]:
        with duckdb.connect(str(self.home / "vidcap.duckdb"), read_only=True) as connection:
            for table in ("captioned_videos", "annotations"):
                columns = connection.sql(f"FROM {table}").columns
                rows = connection.execute(f"FROM {table}").fetchall()
                yield table, _rows([dict(zip(columns, row, strict=True)) for row in rows])


def write_clips(folder: Path) -> None:
    """Clips whose one frame says their number to the server of the tests."""
    folder.mkdir()
    for number in range(1, CLIPS + 1):
        with av.open(str(folder / f"{number}.mp4"), "w") as container:
            stream = container.add_stream("libx264", rate=12, options={"preset": "ultrafast", "crf": "10"})
            stream.height, stream.width, _ = picture(number).shape
            stream.pix_fmt = "yuv420p"
            for _ in range(4):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number))))
            container.mux(stream.encode())


def can_mount(folder: Path) -> bool:
    """May this process mount a file system?"""
    tried = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, check=False)
    return tried.returncode == 0 and subprocess.run(["umount", folder], check=False).returncode == 0


def difference(expected: dict[str, Any], found: dict[str, Any]) -> str | None:
    """The first thing that is not as expected, if any."""
    for name in sorted(expected.keys() | found.keys()):
        if name not in found or name not in expected:
            return f"{name} is {'missing' if name not in found else 'more than an undisturbed run has'}"
        for there, here in zip_longest(expected[name], found[name]):
            if there != here:
                return f"{name}: {here} instead of {there}"
    return None


def _rows(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(str({name: row[name] for name in sorted(row) if name not in _PASSING}) for row in rows)


def _is_sentence(line: str) -> bool:
    """Is this something to read, and no line of a traceback, exception's name or Dagster's own headline?"""
    names = r"(^|: )\w*(\.\w+)*(Error|Exception|Interrupt|Invalid)\b"
    strange = rf'{names}|^File "|^Traceback|Exceeded max_retries|^[\W_]*$'
    return len(line.split()) >= 3 and not re.search(strange, line)


def _session_of(process: psutil.Process) -> int | None:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return os.getsid(process.pid)
    except (psutil.NoSuchProcess, ProcessLookupError):
        return None


def _command(process: psutil.Process) -> str:
    try:
        return f"{process.pid} {' '.join(process.cmdline())[-80:]}"
    except psutil.NoSuchProcess:
        return "gone"
