"""A run whose processes are gone is ended; one that may live never is."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import dagster as dg
import pytest
from dagster._core.events import EngineEventData

from vidcap_assets.automation.process_identity import Presence, ProcessIdentity
from vidcap_assets.automation.reaper import processes_of, reap, reaper_sensor
from vidcap_assets.automation.registered_executor import IDENTITY, note_process
from vidcap_assets.definitions import defs


@pytest.fixture
def child() -> Iterator[subprocess.Popen]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.wait()
    process.stdin.close()


def test_a_process_is_gone_once_it_ended_even_while_its_parent_has_not_looked(child):
    identity = ProcessIdentity.of(child.pid)
    assert ProcessIdentity(**identity.to_json()).presence is Presence.ALIVE
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert identity.presence is Presence.GONE
    child.wait()
    assert identity.presence is Presence.GONE
    with pytest.raises(ProcessLookupError):
        ProcessIdentity.of(child.pid)


@pytest.mark.parametrize(
    ("change", "presence"),
    [
        ({}, Presence.ALIVE),
        ({"started": 1}, Presence.GONE),
        ({"boot": "an earlier one"}, Presence.GONE),
        ({"host": "another"}, Presence.ELSEWHERE),
        ({"host": "another", "pid": 1, "boot": "another"}, Presence.ELSEWHERE),
    ],
)
def test_a_number_alone_proves_nothing(change, presence):
    assert replace(ProcessIdentity.current(), **change).presence is presence


def test_a_container_is_a_host_of_its_own_unless_it_is_given_a_name(monkeypatch):
    monkeypatch.setattr(os, "readlink", lambda path: "pid:[4026532999]")
    assert ProcessIdentity.current().host.endswith("/pid:[4026532999]")
    monkeypatch.setenv("VIDCAP_HOST", "box")
    assert ProcessIdentity.current().host == "box"


def started(instance: dg.DagsterInstance, *processes: ProcessIdentity) -> dg.DagsterRun:
    run = instance.create_run_for_job(
        defs.resolve_job_def("publish_dataset"),
        status=dg.DagsterRunStatus.STARTED,
        tags={"dagster/partition": "shard-00003"},
    )
    for process in processes:
        instance.report_engine_event(
            "a step", run, EngineEventData(metadata={IDENTITY: dg.MetadataValue.json(process.to_json())})
        )
    return run


def take_slot(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    instance.event_log_storage.set_concurrency_slots("gpu", 1)
    instance.event_log_storage.claim_concurrency_slot("gpu", run.run_id, "captions_llava")
    assert instance.event_log_storage.get_concurrency_info("gpu").active_slot_count == 1


ME = ProcessIdentity.current()
DEAD = replace(ME, started=1)
ELSEWHERE = replace(ME, host="another")


def test_a_run_without_a_live_process_is_ended_and_its_slot_is_free(instance):
    run = started(instance, DEAD, replace(DEAD, pid=1))
    take_slot(instance, run)
    (reaped,) = reap(instance)
    assert (reaped.run_id, reaped.job, reaped.shards, reaped.slots) == (
        run.run_id,
        "publish_dataset",
        "shard-00003",
        1,
    )
    assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.FAILURE
    assert instance.event_log_storage.get_concurrency_info("gpu").active_slot_count == 0
    assert reap(instance) == []


@pytest.mark.parametrize(
    "processes",
    [(ME,), (DEAD, ME), (ELSEWHERE,), (DEAD, ELSEWHERE), ()],
    ids=["live", "a step outlived its run", "another machine", "a step on another machine", "nothing known"],
)
def test_a_run_that_may_live_is_left_alone(instance, processes):
    run = started(instance, *processes)
    take_slot(instance, run)
    assert reap(instance) == []
    assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.STARTED
    assert instance.event_log_storage.get_concurrency_info("gpu").active_slot_count == 1


def test_a_machine_that_is_lost_has_to_be_named(instance):
    started(instance, ELSEWHERE)
    assert reap(instance, lost_hosts=["a third"]) == []
    assert len(reap(instance, lost_hosts=["another"])) == 1


def test_a_run_that_ends_well_between_the_two_looks_stays_a_success(instance, monkeypatch):
    run = started(instance, DEAD)

    def ends_meanwhile(self):
        instance.report_dagster_event(
            dg.DagsterEvent(dg.DagsterEventType.RUN_SUCCESS.value, run.job_name), run.run_id
        )
        return Presence.GONE

    monkeypatch.setattr(ProcessIdentity, "presence", property(ends_meanwhile))
    assert reap(instance) == []
    assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.SUCCESS


def test_young_runs_can_be_left_alone(instance):
    run = started(instance, DEAD)
    instance.report_dagster_event(
        dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, run.job_name), run.run_id
    )
    assert reap(instance, older_than=timedelta(minutes=1)) == []
    assert len(reap(instance, older_than=timedelta(0))) == 1


def test_the_sensor_says_what_it_did(instance):
    run = started(instance, DEAD)
    context = dg.build_sensor_context(instance, definitions=defs)
    assert run.run_id in reaper_sensor(context).skip_message
    assert "has a live process" in reaper_sensor(context).skip_message


def test_a_run_notes_its_processes(instance):
    run = started(instance)
    note_process(instance, run, "The run")
    assert processes_of(instance, run.run_id) == [ME]
