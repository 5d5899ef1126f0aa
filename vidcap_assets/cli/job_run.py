"""One job run to its end in a process of its own; what became of it is read from Dagster's history."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.annotation.progress import VARIABLE
from vidcap_assets.cli.in_force import collection
from vidcap_assets.cli.progress import RunProgress

if TYPE_CHECKING:
    import dagster as dg

SETTINGS = Path(__file__).parents[1] / "automation" / "dagster.yaml"
_QUIET = {"loggers": {"console": {"config": {"log_level": "INFO"}}}}
_LAUNCH_TAG = "vidcap/launch"
_LOOK_EVERY_S = 0.2


@dataclass(frozen=True)
class JobResult:
    """How a run ended; ``failures`` gives the reason of each failed step."""

    job: str
    success: bool
    run_id: str | None
    failures: dict[str, str]
    log: Path


def definitions() -> str:
    """The module whose jobs are run."""
    return os.environ.get("VIDCAP_DEFINITIONS") or "vidcap_assets.definitions"


def run_job(
    job: str,
    *,
    tags: Mapping[str, str] | None = None,
    steps: Sequence[str] = (),
    config: Mapping[str, Any] | None = None,
    watch: Callable[[RunProgress], None] = lambda progress: None,
    stopping: Callable[[], None] = lambda: None,
) -> JobResult:
    """Run a job by ``dagster job execute``; ``watch`` is called several times a second,
    ``stopping`` when it was interrupted and is about to end.

    Args:
        tags: run tags, such as the shards.
        steps: run only these steps of the job; by default all.
        config: run config, in addition to a quiet console.

    Raises:
        KeyboardInterrupt: Ctrl-C, SIGTERM or a closed terminal ended the run; its finished batches are kept.
    """
    settings = collection()
    logs = _local_home() / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    path = logs / f"{datetime.now():%Y%m%d-%H%M%S}-{job}-{os.getpid()}.log"
    launch = uuid.uuid4().hex
    with tempfile.TemporaryDirectory() as folder, open(path, "a") as log:
        progress = RunProgress(Path(folder, "progress.jsonl"))
        run_config = Path(folder, "run.yaml")
        run_config.write_text(json.dumps({**_QUIET, **(config or {})}))
        command = [sys.executable, "-W", "ignore", "-m", "dagster", "job", "execute"]
        command += ["-m", definitions(), "-j", settings.label(job), "-c", str(run_config)]
        command += ["--tags", json.dumps({**(tags or {}), _LAUNCH_TAG: launch})]
        if steps:
            command += ["--op-selection", ",".join(steps)]
        with (
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**dagster_environment(), VARIABLE: str(progress.file)},
                # Of its own, so that the run is interrupted once and by this process, wherever Ctrl-C came from.
                process_group=0,
            ) as process,
            _ended_like_by_ctrl_c(),
        ):
            try:
                while process.poll() is None:
                    watch(progress)
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(_LOOK_EVERY_S)
            except KeyboardInterrupt:
                process.send_signal(signal.SIGINT)
                stopping()
                raise
            watch(progress)
    success = process.returncode == 0
    run_id, failures = _outcome(launch)
    if not success and not failures:
        failures = {"run": _last_line(path)}
    return JobResult(job, success, run_id, {} if success else failures, path)


def _outcome(launch: str) -> tuple[str | None, dict[str, str]]:
    """The run that was launched so, and why each failed step of it failed."""
    import dagster as dg

    with instance() as history:
        runs = history.get_runs(dg.RunsFilter(tags={_LAUNCH_TAG: launch}), limit=1)
        if not runs:
            return None, {}
        run_id = runs[0].run_id
        failures = {}
        for entry in history.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
            event = entry.get_dagster_event()
            step, error = str(event.step_key), event.step_failure_data.error
            failures[step] = _reason(error).removeprefix(f"{step}: ") if error else "see the log"
        return run_id, failures


def _reason(error: Any) -> str:
    """What vidcap itself says of it (a ``Failure``, wherever it stands in the chain), else the error at the root."""
    while error.cls_name != "Failure" and error.cause is not None:
        error = error.cause
    message = error.message.strip()
    return message.partition(": ")[2] if error.cls_name == "Failure" else message


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing"


@contextmanager
def instance() -> "Iterator[dg.DagsterInstance]":
    """The Dagster instance that the runs of this command are remembered in."""
    from vidcap_assets.dagster_private import instance_of_this_folder

    os.environ.update(dagster_environment())
    with instance_of_this_folder("vidcap") as found:
        yield found


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

    A DAGSTER_HOME without settings gets vidcap's: without them no pool has a limit and no run is tried again.
    Dagster's warnings on its own beta features are for who writes against it; a setting of the user's own wins.
    """
    variables = {"PYTHONWARNINGS": "ignore", **os.environ}
    if "DAGSTER_HOME" not in variables and not Path("dagster.yaml").exists():
        variables["DAGSTER_HOME"] = str(_local_home() / "dagster")
    if named := variables.get("DAGSTER_HOME"):
        settings = Path(named, SETTINGS.name)
        settings.parent.mkdir(parents=True, exist_ok=True)
        if not settings.exists():
            shutil.copyfile(SETTINGS, settings)
    return variables


def _local_home() -> Path:
    """The home, or ./data where that is on an object store: logs and Dagster's history are files."""
    home = collection().home
    return Path("data" if "://" in home else home).absolute()
