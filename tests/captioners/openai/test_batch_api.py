"""Batch jobs: submitted once, whatever happens in between, and collected by a later run."""

import dataclasses
import json
import threading
import time

import pytest
from misbehaving_server import Act, error
from numbered_clips import NumberedFrames, clips

from resources.annotation.outcome import AnnotatorError
from resources.captioners.openai.batch_api import BatchPending


@pytest.fixture
def batched(captioner, tmp_path):
    def build(**changes):
        return captioner(batch_api=True, batch_folder=tmp_path / "jobs", batch_poll_s=0.05, **changes)

    return build


def values(report):
    return {row["id"]: row["value"] or row["error_kind"] for row in report.outcomes.to_pylist()}


def records(tmp_path):
    return list((tmp_path / "jobs").rglob("*.json"))


def test_a_job_is_submitted_by_one_run_and_collected_by_a_later_one_at_half_the_price(
    server, batched, run, tmp_path
):
    with pytest.raises(BatchPending, match=r"20 clips wait .* batch_0 \(in_progress\)") as pending:
        run(batched(), clips(20))
    assert not pending.value.retryable
    with pytest.raises(BatchPending):
        run(batched(), clips(20))
    server.end_batches()
    frames = NumberedFrames()
    report = run(batched(frames=frames), clips(20))
    assert values(report) == {f"c{n}": f"clip {n}" for n in range(20)}
    assert report.outcomes["cost_usd"].to_pylist() == [pytest.approx(0.5 * (100 * 10 + 20 * 100) / 1e6)] * 20
    assert json.loads(report.outcomes["details"][3].as_py())["request_id"] == "req_3"
    assert server.calls["POST /batches"] == 1
    assert frames.read_count == 0
    assert records(tmp_path) == []


def test_new_clips_go_into_a_job_of_their_own(server, batched, run):
    with pytest.raises(BatchPending):
        run(batched(), clips(5))
    with pytest.raises(BatchPending):
        run(batched(), clips(8))
    server.end_batches()
    assert values(run(batched(), clips(8))) == {f"c{n}": f"clip {n}" for n in range(8)}
    assert set(server.charged.values()) == {1}
    assert server.calls["POST /batches"] == 2


def test_a_run_may_wait_for_its_job(server, batched, run):
    def end_when_submitted():
        while not server.batches:
            time.sleep(0.01)
        server.end_batches()

    ending = threading.Thread(target=end_when_submitted, daemon=True)
    ending.start()
    report = run(batched(batch_wait_s=120), clips(4))
    ending.join()
    assert report.tally.ok == 4


@pytest.mark.parametrize("script", [["", "500 after"], ["", "500"], ["500", "500"], ["500 after"]])
def test_a_submission_that_seemed_to_fail_is_not_repeated_if_it_did_not(server, batched, run, script):
    server.batch_script = script
    with pytest.raises(BatchPending):
        run(batched(), clips(3))
    assert len(server.batches) == 1


@pytest.mark.parametrize("reached_the_server", [True, False])
def test_a_kill_during_submission_is_healed_by_the_next_run(
    server, batched, run, tmp_path, reached_the_server
):
    """The record is there without the server's id: all that a kill around the submission can leave."""
    with pytest.raises(BatchPending):
        run(batched(), clips(3))
    (path,) = records(tmp_path)
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"batch_id": None, "created_at": time.time() - 60}))
    if not reached_the_server:
        server.batches.clear()
    with pytest.raises(BatchPending):
        run(batched(), clips(3))
    assert len(server.batches) == 1
    server.end_batches()
    assert run(batched(), clips(3)).tally.ok == 3
    assert set(server.charged.values()) == {1}


def test_what_an_expired_job_answered_is_kept_and_the_rest_is_asked_again(server, batched, run):
    with pytest.raises(BatchPending):
        run(batched(), clips(6))
    server.end_batches("expired", share=0.5)
    report = run(batched(), clips(6))
    assert (report.tally.ok, set(report.outcomes["error_kind"].drop_null().to_pylist())) == (3, {"api_error"})
    with pytest.raises(BatchPending):
        run(batched(), clips(6))
    server.end_batches()
    assert run(batched(), clips(6)).tally.ok == 6
    assert set(server.charged.values()) == {1}


def test_single_requests_of_a_job_fail_alone(server, batched, run):
    server.script = {
        1: [error(400, "content_filter")],
        2: [error(500)],
        3: [Act(message={"content": None, "refusal": "no"})],
        4: [Act(body={"choices": []})],
    }
    with pytest.raises(BatchPending):
        run(batched(), clips(6))
    server.end_batches()
    assert values(run(batched(), clips(6))) == {
        "c0": "clip 0",
        "c1": "refused",
        "c2": "api_error",
        "c3": "refused",
        "c4": "api_error",
        "c5": "clip 5",
    }


def test_a_job_that_the_server_does_not_run_is_an_error_and_then_submitted_anew(server, batched, run):
    with pytest.raises(BatchPending):
        run(batched(), clips(2))
    server.batches["batch_0"] |= {
        "status": "failed",
        "errors": {
            "object": "list",
            "data": [{"code": "token_limit", "message": "Enqueued token limit reached"}],
        },
    }
    with pytest.raises(AnnotatorError, match="Enqueued token limit reached"):
        run(batched(), clips(2))
    with pytest.raises(BatchPending):
        run(batched(), clips(2))
    assert len(server.batches) == 2


def test_a_shard_larger_than_a_job_may_be_becomes_several(server, batched, run):
    annotator = batched()
    annotator._batch = dataclasses.replace(annotator._batch, max_requests=4)
    with pytest.raises(BatchPending):
        run(annotator, clips(10))
    assert len(server.batches) == 3
    server.end_batches()
    assert run(batched(), clips(10)).tally.ok == 10


def test_a_budget_limits_what_is_submitted(server, batched, run):
    with pytest.raises(BatchPending):
        run(batched(max_cost_usd=0.1), clips(10))
    server.end_batches()
    assert 0 < len(server.charged) < 10
    report = run(batched(max_cost_usd=0.0), clips(10))
    assert values(report) == {f"c{n}": f"clip {n}" if n in server.charged else "budget" for n in range(10)}


def test_batch_api_needs_a_folder(captioner):
    with pytest.raises(AnnotatorError, match="batch_folder"):
        captioner(batch_api=True)
