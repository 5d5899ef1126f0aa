"""A real ``dagster dev`` with its daemon, on a free port of the loopback interface, driven through GraphQL."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import psutil

ROOT = Path(__file__).parents[2]
MODULE = "tests.operations.operated_definitions"
LOCATION = {"repositoryName": "__repository__", "repositoryLocationName": MODULE}
_LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
_BACKFILL = """mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
_BACKFILL_STATUS = """query($id: String!) { partitionBackfillOrError(backfillId: $id) {
    ... on PartitionBackfill { status } } }"""
_RUNS = """{ runsOrError { ... on Runs { results {
    runId status jobName parentRunId tags { key value } } } } }"""
_PARTITIONS = """query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
    assetPartitionStatuses { ... on DefaultPartitionStatuses {
        materializedPartitions failedPartitions materializingPartitions } } } } }"""
_ADD = """mutation($key: String!, $selector: RepositorySelector!) { addDynamicPartition(
    partitionKey: $key, partitionsDefName: "shards", repositorySelector: $selector) { __typename } }"""
_SENSOR = """mutation($selector: SensorSelector!) { startSensor(sensorSelector: $selector) {
    __typename ... on PythonError { message } } }"""
_SCHEDULE = """mutation($selector: ScheduleSelector!) { startSchedule(scheduleSelector: $selector) {
    __typename ... on PythonError { message } } }"""


class Dev:
    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        settings = (ROOT / "dagster.yaml").read_text()
        settings = settings.replace("_seconds: 30", "_seconds: 2").replace(
            ": .dagster", f": {folder}/.dagster"
        )
        (folder / "dagster.yaml").write_text(settings)
        base = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("VIDCAP_", "DAGSTER", "OPENAI", "ECHO_"))
        }
        self._environment = base | {"DAGSTER_HOME": str(folder), "PYTHONPATH": str(ROOT)} | environment
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        command = [sys.executable, "-W", "ignore", "-m", "dagster", "dev", "-m", MODULE]
        with open(self.folder / "dev.log", "ab") as log:
            self._process = subprocess.Popen(
                [*command, "-h", "127.0.0.1", "-p", str(self.port)],
                cwd=self.folder,
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.wait_until(self._is_up, "the web server", 180)

    def stop(self) -> None:
        """End it as an operator would; whatever does not end by itself is killed."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(60)
        self.kill_everything()

    def kill_everything(self) -> None:
        """kill -9: web server, daemon, code servers, runs and steps, all at once."""
        for process in psutil.process_iter():
            try:
                if process.environ().get("DAGSTER_HOME") == str(self.folder):
                    process.kill()
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        if self._process is not None:
            self._process.wait(30)
            self._process = None

    def graphql(self, query: str, **variables: Any) -> dict[str, Any]:
        answer = httpx.post(f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=60)
        content = answer.json()
        assert "errors" not in content, content["errors"]
        return content["data"]

    def launch(self, job: str, shard: str, asset: str | None = None) -> str:
        selector: dict[str, Any] = {**LOCATION, "jobName": job}
        if asset is not None:
            selector["assetSelection"] = [{"path": [asset]}]
        tags = [{"key": "dagster/partition", "value": shard}]
        params = {"selector": selector, "mode": "default", "executionMetadata": {"tags": tags}}
        launched = self.graphql(_LAUNCH, params=params)["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return launched["run"]["runId"]

    def backfill(self, asset: str, shards: list[str]) -> str:
        params = {"assetSelection": [{"path": [asset]}], "partitionNames": shards}
        launched = self.graphql(_BACKFILL, params=params)["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        return launched["backfillId"]

    def backfill_status(self, backfill_id: str) -> str:
        return self.graphql(_BACKFILL_STATUS, id=backfill_id)["partitionBackfillOrError"]["status"]

    def add_partition(self, shard: str) -> None:
        self.graphql(_ADD, key=shard, selector=LOCATION)

    def start_sensor(self, name: str) -> None:
        started = self.graphql(_SENSOR, selector={**LOCATION, "sensorName": name})["startSensor"]
        assert started["__typename"] == "Sensor", started

    def start_schedule(self, name: str) -> None:
        started = self.graphql(_SCHEDULE, selector={**LOCATION, "scheduleName": name})["startSchedule"]
        assert started["__typename"] == "ScheduleStateResult", started

    def runs(self) -> list[dict[str, Any]]:
        """Newest first, with their tags as a dict."""
        results = self.graphql(_RUNS)["runsOrError"]["results"]
        return [run | {"tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in results]

    def status(self, run_id: str) -> str:
        return next(run["status"] for run in self.runs() if run["runId"] == run_id)

    def partitions(self, asset: str) -> tuple[set[str], set[str]]:
        """The shards that are materialised, and those that failed."""
        node = self.graphql(_PARTITIONS, key={"path": [asset]})["assetNodeOrError"]
        statuses = node["assetPartitionStatuses"]
        return set(statuses["materializedPartitions"]), set(statuses["failedPartitions"])

    def gpu_slots_taken(self) -> int:
        """As the history has it, whether the server is up or not."""
        with dg.DagsterInstance.from_config(str(self.folder)) as instance:
            return instance.event_log_storage.get_concurrency_info("gpu").active_slot_count

    def wait_until(self, condition: Callable[[], bool], what: str, timeout_s: float = 240) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert self._process is not None
            assert self._process.poll() is None, self._log()
            assert time.monotonic() < deadline, f"waited {timeout_s} s for {what}\n{self._log()}"
            time.sleep(0.5)

    def _is_up(self) -> bool:
        try:
            data = self.graphql("{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }")
        except httpx.TransportError:
            return False
        return bool(data["repositoriesOrError"].get("nodes"))

    def _log(self) -> str:
        return (self.folder / "dev.log").read_text()[-4000:]
