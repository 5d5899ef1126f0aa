"""``vidcap reap`` against a run whose process was really killed."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import dagster as dg
import psutil
import pytest
from typer.testing import CliRunner

from vidcap_assets.cli import app

ROOT = Path(__file__).parents[2]
_SETTINGS = "telemetry: {enabled: false}\nconcurrency: {pools: {default_limit: 1, granularity: op}}\n"


def reap(*options: str) -> str:
    result = CliRunner().invoke(app, ["reap", *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("start", ["spawn", "forkserver"])
def test_steps_end_with_a_killed_run_and_its_place_is_freed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: str
):
    (tmp_path / "dagster.yaml").write_text(_SETTINGS)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    waiting = tmp_path / "waiting"
    config = tmp_path / "run.yaml"
    config.write_text(f"execution: {{config: {{start_method: {{{start}: {{}}}}}}}}")
    command = [sys.executable, "-W", "ignore", "-m", "dagster", "job", "execute"]
    command += ["-m", "tests.operations.waiting_definitions", "-j", "waiting"]
    run = subprocess.Popen(
        [*command, "--tags", '{"dagster/partition": "shard-00007"}', "-c", str(config)],
        cwd=ROOT,
        env={**os.environ, "WAITING": str(waiting)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while not waiting.exists():
            assert run.poll() is None
            time.sleep(0.05)
        assert "every run that is under way has a live process" in " ".join(reap().split())
        step = psutil.Process(int(waiting.read_text()))
        assert step.pid != run.pid
        run.kill()  # and nothing else
        step.wait(60)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
        run.wait()

    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        pool = instance.event_log_storage.get_concurrency_info
        (started,) = instance.get_runs()
        assert (started.status, pool("gpu").active_slot_count) == (dg.DagsterRunStatus.STARTED, 1)
        (reaped,) = json.loads(reap("--json"))
        assert (reaped["run_id"], reaped["job"], reaped["shards"]) == (
            started.run_id, "waiting", "shard-00007",
        )  # fmt: skip
        assert reaped["reason"].startswith(f"its process is gone: {run.pid} on ")
        assert instance.get_run_by_id(started.run_id).status is dg.DagsterRunStatus.FAILURE
        assert pool("gpu").active_slot_count == 0
    assert json.loads(reap("--json")) == []
