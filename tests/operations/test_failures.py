"""A failed run is given to the command that the collection file names, with the sentence of the step that failed."""

import json
import subprocess
from pathlib import Path

import dagster as dg
import pytest

from tests.echo import echoing
from vidcap_assets.component import Collection


@dg.op
def breaks() -> None:
    raise dg.Failure("the source is not there; mount it", allow_retries=False)


@dg.job
def broken() -> None:
    breaks()


def failed_run(instance: dg.DagsterInstance, sensor: dg.SensorDefinition) -> object:
    result = broken.execute_in_process(instance=instance, raise_on_error=False)
    [event] = [one for one in result.all_events if one.is_run_failure]
    context = dg.build_run_status_sensor_context(sensor.name, event, instance, result.dagster_run)
    return sensor(context.for_run_failure())


def sensors(tmp_path: Path, **automation: str) -> dict[str, dg.SensorDefinition]:
    defs = Collection(echoing(tmp_path, tmp_path, automation=automation)).build_defs()
    return {one.name: one for one in defs.get_repository_def().sensor_defs}


def test_the_command_gets_run_job_and_sentence(instance: dg.DagsterInstance, tmp_path: Path):
    sensor = sensors(tmp_path, on_failure=f"cat > {tmp_path}/told")["failed_runs"]
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    failed_run(instance, sensor)
    told = json.loads((tmp_path / "told").read_text())
    assert (told["run"], told["job"]) == (instance.get_runs()[0].run_id, "broken")
    assert any("the source is not there; mount it" in sentence for sentence in told["why"])


def test_a_command_that_fails_is_not_silent(instance: dg.DagsterInstance, tmp_path: Path):
    with pytest.raises(subprocess.CalledProcessError):
        failed_run(instance, sensors(tmp_path, on_failure="exit 3")["failed_runs"])


def test_without_a_command_there_is_no_such_sensor(tmp_path: Path):
    assert "failed_runs" not in sensors(tmp_path)
