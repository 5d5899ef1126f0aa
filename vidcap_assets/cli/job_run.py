"""One job run to its end in a process of its own, watched through its log."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from vidcap_assets.automation.launch import QUIET
from vidcap_assets.cli.run_log import RunLog
from vidcap_assets.collection import environment

_INSTANCE = """\
# Made by vidcap for runs outside a project folder; a DAGSTER_HOME of your own takes its place.
telemetry: {enabled: false}
concurrency:
  pools: {default_limit: 1, granularity: op}
"""


@dataclass(frozen=True)
class JobResult:
    """How a run ended; ``failures`` gives the reason of each failed step."""

    job: str
    success: bool
    run_id: str | None
    failures: dict[str, str]
    log: Path

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "job": self.job,
            "success": self.success,
            "run_id": self.run_id,
            "failures": self.failures,
            "log": str(self.log),
        }


def run_job(
    job: str,
    *,
    tags: Mapping[str, str] | None = None,
    steps: Sequence[str] = (),
    config: Mapping[str, Any] | None = None,
    watch: Callable[[RunLog], None] = lambda log: None,
    stopping: Callable[[], None] = lambda: None,
) -> JobResult:
    """Run a job by ``dagster job execute``; ``watch`` is called whenever its log says something,
    ``stopping`` when it was interrupted and is about to end.

    Args:
        tags: run tags, such as the shards.
        steps: run only these steps of the job; by default all.
        config: run config, in addition to a quiet console.

    Raises:
        KeyboardInterrupt: Ctrl-C, SIGTERM or a closed terminal ended the run; its finished batches are kept.
    """
    logs = Path(environment.home()) / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    path = logs / f"{datetime.now():%Y%m%d-%H%M%S}-{job}-{os.getpid()}.log"
    told = RunLog()
    with tempfile.TemporaryDirectory() as folder, open(path, "a") as kept:
        run_config = Path(folder, "run.yaml")
        run_config.write_text(json.dumps({**QUIET, **(config or {})}))
        command = [sys.executable, "-W", "ignore", "-m", "dagster", "job", "execute"]
        command += ["-m", environment.definitions(), "-j", job, "-c", str(run_config)]
        if tags:
            command += ["--tags", json.dumps(tags)]
        if steps:
            command += ["--op-selection", ",".join(steps)]
        with (
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env=dagster_environment(),
                # Of its own, so that the run is interrupted once and by this process, wherever Ctrl-C came from.
                process_group=0,
            ) as process,
            _ended_like_by_ctrl_c(),
        ):
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    kept.write(line)
                    kept.flush()
                    told.feed(line.rstrip("\n"))
                    watch(told)
            except KeyboardInterrupt:
                process.send_signal(signal.SIGINT)
                stopping()
                # What is said on the way out is taken in, or the run would hang on a full pipe.
                kept.writelines(process.stdout)
                raise
    success = process.returncode == 0
    return JobResult(job, success, told.run_id, {} if success else told.failures, path)


@contextmanager
def _ended_like_by_ctrl_c() -> Iterator[None]:
    """A closed terminal and a supervisor's stop end a run as Ctrl-C does, and not its parent alone."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number in before:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def dagster_environment() -> dict[str, str]:
    """The environment for Dagster's processes: runs are remembered even outside a project folder.

    Dagster's warnings on its own beta features are for who writes against it; a setting of the user's own wins.
    """
    variables = {"PYTHONWARNINGS": "ignore", **os.environ}
    if "DAGSTER_HOME" not in variables and not Path("dagster.yaml").exists():
        home = Path(environment.home()).absolute() / "dagster"
        home.mkdir(parents=True, exist_ok=True)
        settings = home / "dagster.yaml"
        if not settings.exists():
            settings.write_text(_INSTANCE)
        variables["DAGSTER_HOME"] = str(home)
    return variables
