"""Failed runs, given to a command that the collection file names."""

import json
import subprocess

import dagster as dg

from vidcap_assets.collection.settings import CollectionSettings


def failure_sensor(collection: CollectionSettings, command: str) -> dg.SensorDefinition:
    """The sensor that gives each failed run to ``command``; its tick fails where the command does."""

    @dg.run_failure_sensor(
        name=collection.label("failed_runs"),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Gives each failed run, as JSON, to: {command}",
    )
    def failed_runs(context: dg.RunFailureSensorContext) -> None:
        run, steps = context.dagster_run, context.get_step_failure_events()
        why = [one.step_failure_data.error.message for one in steps if one.step_failure_data.error]
        told = {"run": run.run_id, "job": run.job_name, "why": [context.failure_event.message, *why]}
        subprocess.run(command, shell=True, input=json.dumps(told), text=True, check=True, timeout=60)

    return failed_runs
