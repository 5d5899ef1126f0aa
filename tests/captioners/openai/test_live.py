"""The captioner through the real loop against a real server that misbehaves."""

import json
import time

import pytest
from misbehaving_server import Act, HangsUp, error
from numbered_clips import NumberedFrames, clips

from resources.annotation.outcome import AnnotatorError


def rows(report):
    return {row["id"]: row for row in report.outcomes.to_pylist()}


def assert_each_answered_with_its_own(report, count):
    got = rows(report)
    assert len(got) == report.outcomes.num_rows == count
    assert {clip_id: row["value"] for clip_id, row in got.items()} == {
        f"c{n}": f"clip {n}" for n in range(count)
    }


def test_answers_in_any_order_stay_with_their_clips_and_are_charged_once(server, captioner, run):
    server.latency_s = lambda number: 0.05 * ((number * 7) % 5)
    report = run(captioner(), clips(60))
    assert_each_answered_with_its_own(report, 60)
    assert set(server.charged.values()) == {1}
    assert len(server.charged) == 60
    assert server.most_in_flight == 8


def test_every_answer_says_what_it_cost_and_where_it_came_from(server, captioner, run):
    row = rows(run(captioner(num_frames=3), clips(1)))["c0"]
    assert (row["tokens_in"], row["tokens_out"], row["finish_reason"]) == (100, 20, "stop")
    assert row["cost_usd"] == pytest.approx((100 * 10 + 20 * 100) / 1e6)
    assert row["seconds"] > 0
    for part in (
        '"request_id": "req_1"',
        '"served_model": "test-model-served"',
        '"frame_indices": [10, 50, 90]',
    ):
        assert part in row["details"]
    assert row["value"] == "clip 0 0 0"
    body = server.bodies[0]
    assert {name: value for name, value in body.items() if name != "messages"} == {
        "model": "test-model",
        "max_tokens": 300,
        "temperature": 0,
    }
    assert [part["type"] for part in body["messages"][0]["content"]] == ["image_url"] * 3 + ["text"]
    assert body["messages"][0]["content"][0]["image_url"]["url"].startswith("data:image/jpeg;base64,")


PASSING_FAULTS = {
    "429 without Retry-After": error(429),
    "429 with Retry-After": error(429, retry_after="0.1"),
    "429 with Retry-After in ms": error(429, retry_after_ms="50"),
    "500": error(500),
    "503": error(503, retry_after="0.05"),
    "stall": Act(stall_s=30),
    "dropped mid-body": Act(drop=True),
    "no choices": Act(body={"id": "x", "choices": []}),
    "no message": Act(body={"id": "x", "choices": [{}]}),
    "wrong JSON": Act(body=b'{"choices": [{"mess'),
    "not an object": Act(body=[1, 2]),
    "not JSON": Act(body=b"<html>gateway</html>"),
    "content of a wrong type": Act(body={"choices": [{"message": {"content": 7}}]}),
    "error in a 200": Act(body={"error": {"message": "upstream is busy"}}),
}


def test_passing_faults_of_every_kind_lose_double_and_swap_nothing(server, captioner, run):
    server.script = {n: [act] for n, act in enumerate(PASSING_FAULTS.values())}
    server.latency_s = lambda number: 0.01 * (number % 4)
    report = run(captioner(timeout_s=3), clips(40))
    assert_each_answered_with_its_own(report, 40)
    assert set(server.charged.values()) == {1}
    assert {n: server.attempts(n) for n in range(40)} == {
        n: 2 if n in server.script else 1 for n in range(40)
    }


@pytest.mark.parametrize(
    ("act", "kind", "said", "attempts"),
    [
        (error(429), "rate_limited", "rate limit", 4),
        (error(500), "api_error", "server error", 4),
        (Act(stall_s=30), "api_error", "timeout", 3),
        (Act(drop=True), "api_error", "connection dropped", 3),
        (Act(body=b"{"), "api_error", "malformed reply", 3),
        (error(400), "api_error", "request rejected", 1),
        (error(400, "content_filter"), "refused", "content refused", 1),
        (Act(finish_reason="content_filter", message={"content": "clip"}), "refused", "content filter", 1),
        (Act(message={"content": None, "refusal": "not this one"}), "refused", "not this one", 1),
        (Act(message={"content": "I'm sorry, but I can't assist with that."}), "refused", "can't assist", 1),
        (Act(message={"content": ""}), "empty_output", "nothing", 1),
        (Act(message={"content": ""}, finish_reason="length"), "empty_output", "thinking", 1),
    ],
)
def test_a_lasting_fault_fails_its_clip_alone_and_says_why(server, captioner, run, act, kind, said, attempts):
    server.script = {1: [act] * 9}
    patience_s = 1.0 if act.stall_s else 60.0
    got = rows(run(captioner(timeout_s=patience_s, max_attempts=4), clips(3)))
    assert (got["c1"]["status"], got["c1"]["error_kind"], server.attempts(1)) == ("failed", kind, attempts)
    assert said in got["c1"]["error"]
    assert got["c0"]["value"] == "clip 0"
    assert got["c2"]["value"] == "clip 2"


def test_a_caption_cut_off_by_max_tokens_is_kept_and_marked(server, captioner, run):
    server.default = Act(finish_reason="length")
    row = rows(run(captioner(), clips(1)))["c0"]
    assert (row["status"], row["finish_reason"], row["value"]) == ("ok", "length", "clip 0")


def test_a_reply_without_usage_has_no_cost(server, captioner, run):
    server.default = Act(usage=None)
    row = rows(run(captioner(), clips(1)))["c0"]
    assert (row["status"], row["tokens_in"], row["cost_usd"]) == ("ok", None, None)


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        (error(401, "invalid_api_key"), "refused the API key"),
        (error(403), "does not allow this API key"),
        (error(404, "model_not_found"), "has no model 'test-model'"),
        (error(429, "insufficient_quota"), "has no credit left"),
        (error(429, retry_after="7200"), "asks to wait 7200 s"),
    ],
)
def test_what_no_clip_is_to_blame_for_stops_at_once_and_is_not_retried(server, captioner, run, act, sentence):
    server.default = act
    with pytest.raises(AnnotatorError, match=sentence) as stopped:
        run(captioner(max_concurrency=4), clips(50))
    assert not stopped.value.retryable
    assert len(server.received) <= 4
    assert max(server.attempts(n) for n in range(50)) == 1


def test_answers_already_paid_for_are_kept_when_the_key_is_revoked(server, captioner, run):
    server.script = {0: [error(401)]}
    server.latency_s = lambda number: 0.2
    with pytest.raises(AnnotatorError):
        run(captioner(max_concurrency=4), clips(4))
    server.script = {}
    report = run(captioner(max_concurrency=4), clips(4))
    assert_each_answered_with_its_own(report, 4)
    assert report.annotated == 1
    assert set(server.charged.values()) == {1}


def test_a_dead_server_stops_the_run_instead_of_failing_every_clip(server, captioner, run):
    server.default = error(500)
    with pytest.raises(AnnotatorError, match="8 clips in a row failed"):
        run(captioner(max_attempts=2), clips(100))
    assert len({number for _, number in server.received}) < 30


def test_nobody_listening_is_told_as_such(captioner, run):
    with pytest.raises(AnnotatorError, match=r"no connection: 127\.0\.0\.1: .*Cannot connect"):
        run(captioner(base_url="http://127.0.0.1:9/v1", max_attempts=2), clips(20))


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.6\r\n"], ids=["nothing", "no HTTP"])
def test_a_connection_closed_without_an_answer_is_told_as_dropped(captioner, run, answer):
    with HangsUp(answer) as base_url:
        row = rows(run(captioner(base_url=base_url), clips(1)))["c0"]
    assert row["error_kind"] == "api_error"
    assert "connection dropped: 127.0.0.1" in row["error"]
    assert "(3 attempts)" in row["error"]


def test_a_storm_of_refusals_loses_nothing_and_never_passes_the_limit(server, captioner, run):
    server.script = {n: [error(429), error(429), error(503)] for n in range(64)}
    report = run(captioner(max_concurrency=16), clips(120))
    assert_each_answered_with_its_own(report, 120)
    assert set(server.charged.values()) == {1}
    assert len(server.received) == 120 + 3 * 64
    assert server.most_in_flight <= 16


@pytest.mark.parametrize("status", [429, 503])
def test_a_clip_is_not_asked_for_again_before_retry_after(server, captioner, run, status):
    server.script = {0: [error(status, retry_after="0.6")]}
    run(captioner(max_concurrency=2), clips(12))
    first, second = [at for at, number in server.received if number == 0]
    assert second - first >= 0.6


def test_unreadable_clips_fail_without_a_request(server, captioner, run):
    report = run(captioner(frames=NumberedFrames(unreadable=frozenset({1}))), clips(3))
    assert rows(report)["c1"]["error_kind"] == "decode_error"
    assert server.attempts(1) == 0
    assert report.tally.ok == 2


def test_a_prompt_for_images_stops_no_video_and_the_other_is_said_once(server, captioner, run, caplog):
    assert run(captioner(prompt="image"), clips(3)).tally.ok == 3
    assert caplog.messages == ["prompt 'image' is not for this kind: 3 clips are asked by 'video'"]
    assert all("Describe this video" in json.dumps(body) for body in server.bodies)


def test_answers_arrive_while_a_chunk_is_being_made_durable(server, captioner):
    from resources.annotation.prefetch import Prepared

    server.latency_s = lambda number: 0.1
    annotator = captioner(max_concurrency=8)
    shard = clips(16)
    chunks = annotator.stream(Prepared(clip, annotator.prepare(clip)) for clip in shard)
    first = list(next(chunks))
    deadline = time.monotonic() + 60
    while len(server.received) < 9:  # eight in flight and the one that waits for a free place
        assert time.monotonic() < deadline, "nothing was sent while the first chunk was in hand"
        time.sleep(0.01)
    rest = [answer for chunk in chunks for answer in chunk]
    assert len(first) + len(rest) == 16
