"""A run whose process is gone is ended; one that may live never is."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import dagster as dg
import pytest

from vidcap_assets.automation.reaper import reap, reaper_sensor
from vidcap_assets.automation.run_process import RunProcess, _started


@dg.op
def nothing(): ...


@dg.job
def publish_dataset():
    nothing()


@pytest.fixture
def child() -> Iterator[subprocess.Popen]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.wait()
    process.stdin.close()


def test_a_process_is_gone_once_it_ended_even_while_its_parent_has_not_looked(child):
    identity = replace(ME, pid=child.pid, started=_started(child.pid))
    assert identity.is_alive
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not identity.is_alive
    child.wait()
    assert not identity.is_alive


@pytest.mark.parametrize("change", [{"started": 1}, {"boot": "an earlier one"}])
def test_a_number_alone_proves_nothing(change):
    assert ME.is_alive
    assert not replace(ME, **change).is_alive


def test_a_container_is_a_host_of_its_own_unless_it_is_given_a_name(monkeypatch):
    monkeypatch.setattr(os, "readlink", lambda path: "pid:[4026532999]")
    assert RunProcess.current().host.endswith("/pid:[4026532999]")
    monkeypatch.setenv("VIDCAP_HOST", "a box")
    assert RunProcess.current().host == "a box"


def started(instance: dg.DagsterInstance, process: RunProcess | None, of_run: str = "") -> dg.DagsterRun:
    run = instance.create_run_for_job(
        publish_dataset, status=dg.DagsterRunStatus.STARTED, tags={"dagster/partition": "shard-00003"}
    )
    if process is not None:
        instance.add_run_tags(run.run_id, process.tag(of_run or run.run_id))
    return run


def take_slot(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    instance.event_log_storage.set_concurrency_slots("gpu", 1)
    instance.event_log_storage.claim_concurrency_slot("gpu", run.run_id, "captions_llava")
    assert instance.event_log_storage.get_concurrency_info("gpu").active_slot_count == 1


ME = RunProcess.current()
DEAD = replace(ME, started=1)
ELSEWHERE = replace(ME, host="another")


def test_a_run_without_a_live_process_is_ended_and_its_slot_is_free(instance):
    run = started(instance, DEAD)
    take_slot(instance, run)
    (reaped,) = reap(instance)
    assert (reaped.run_id, reaped.job, reaped.shards) == (
        run.run_id,
        "publish_dataset",
        "shard-00003",
    )
    assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.FAILURE
    assert instance.event_log_storage.get_concurrency_info("gpu").active_slot_count == 0
    assert reap(instance) == []


@pytest.mark.parametrize("process", [ME, ELSEWHERE, None], ids=["live", "another machine", "nothing known"])
def test_a_run_that_may_live_is_left_alone(instance, process):
    run = started(instance, process)
    take_slot(instance, run)
    assert reap(instance) == []
    assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.STARTED
    assert instance.event_log_storage.get_concurrency_info("gpu").active_slot_count == 1


def test_a_run_that_is_tried_again_is_not_taken_for_the_one_whose_tags_it_has(instance):
    started(instance, DEAD, of_run="the first one")
    assert reap(instance) == []


def test_a_machine_that_is_lost_has_to_be_named(instance):
    started(instance, ELSEWHERE)
    assert reap(instance, lost_hosts=["a third"]) == []
    assert len(reap(instance, lost_hosts=["another"])) == 1


def test_a_run_that_ends_well_between_the_two_looks_stays_a_success(instance, monkeypatch):
    run = started(instance, DEAD)

    def ends_meanwhile(self) -> bool:
        instance.report_dagster_event(
            dg.DagsterEvent(dg.DagsterEventType.RUN_SUCCESS.value, run.job_name), run.run_id
        )
        return False

    monkeypatch.setattr(RunProcess, "is_alive", property(ends_meanwhile))
    assert reap(instance) == []
    assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.SUCCESS


def test_the_sensor_says_what_it_did(instance):
    run = started(instance, DEAD)
    context = dg.build_sensor_context(instance)
    assert run.run_id in reaper_sensor(context).skip_message
    assert "has a live process" in reaper_sensor(context).skip_message
