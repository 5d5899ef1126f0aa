"""What servers and routers really sent, and what became of the clip: each kept its shard from ending well once."""

import dataclasses
import json

import pytest
from misbehaving_server import Act, error
from numbered_clips import clips
from pydantic import SecretStr

from resources.annotation.outcome import AnnotatorError
from resources.captioners.openai.address import Address


def event(delta, end=None):
    choices = [{"index": 0, "delta": delta, "finish_reason": end}]
    return b"data: " + json.dumps({"id": "s", "model": "m", "choices": choices}).encode() + b"\n\n"


STREAM = b"".join(
    [
        event({"role": "assistant"}),
        event({"content": "A red "}),
        event({"content": "ball.\u2028"}, "stop"),
        b'data: {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}\n\n',
        b"data: [DONE]\n\n",
    ]
)


def rows(report):
    return {row["id"]: row for row in report.outcomes.to_pylist()}


@pytest.mark.parametrize("name", ["видео-1", "café", "a\nb", "clip 💥", "x" * 600])
def test_an_id_of_any_letters_is_captioned(server, captioner, run, name):
    shard = [dataclasses.replace(clips(1)[0], id=name)]
    assert rows(run(captioner(), shard))[name]["value"] == "clip 0"


REFUSED_CONTENT = {
    "403 of a router": error(403, message="Your input was flagged by moderation"),
    "403 without a code": error(403, None, "Request not allowed: content policy"),
    "DashScope": Act(400, {"code": "data_inspection_failed", "message": "Input may contain inappropriate content."}),
    "OpenAI prompt": error(400, "invalid_prompt", "Invalid prompt: potentially violating our usage policy."),
    "Azure": error(400, "content_filter"),
    "Azure inside": Act(400, {"error": {"code": "x", "innererror": {"code": "ResponsibleAIPolicyViolation"}}}),
    "Gemini": Act(200, {"choices": None, "usage": None}),
    "Gemini with feedback": Act(200, {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}),
    "router's error in a 200": Act(200, {"error": {"code": 403, "message": "flagged by moderation", "metadata": {}}}),
    "451": error(451),
    "MiniMax": error(400, message="input new_sensitive"),
    "Ark": error(400, "SensitiveContentDetected", "The request failed"),
    "guardrail": error(400, message="Blocked by guardrail"),
    "DeepSeek": error(400, message="Content Exists Risk"),
    "xAI": error(403, message="image policy_violation"),
    "safety finish": Act(finish_reason="SAFETY", message={"content": None}),
    "no message": Act(200, {"choices": [{"finish_reason": "content_filter"}]}),
}  # fmt: skip


@pytest.mark.parametrize("act", REFUSED_CONTENT.values(), ids=REFUSED_CONTENT)
def test_content_that_a_server_does_not_want_is_the_clips_fault_and_final(server, captioner, run, act):
    server.script = {1: [act] * 9}
    got = rows(run(captioner(), clips(3)))
    assert [got[f"c{n}"]["status"] for n in range(3)] == ["ok", "failed", "ok"]
    assert got["c1"]["error_kind"] == "refused"
    run(captioner(), clips(3), run_id="next")
    assert server.attempts(1) == 1


def test_the_very_first_clip_may_be_the_moderated_one(server, captioner, run):
    server.script = {0: [error(403, message="flagged by moderation")]}
    assert rows(run(captioner(max_concurrency=1), clips(3)))["c0"]["error_kind"] == "refused"


def test_a_403_without_a_word_belongs_to_the_clip_once_others_are_answered(server, captioner, run):
    server.script = {2: [error(403)]}
    got = rows(run(captioner(max_concurrency=1), clips(4)))
    assert [got[f"c{n}"]["error_kind"] for n in range(4)] == [None, None, "refused", None]


def test_a_403_that_comes_before_the_answers_under_way_waits_for_them(server, captioner, run):
    server.script = {0: [error(403)]}
    server.latency_s = lambda number: 0.3 * (number > 0)
    got = rows(run(captioner(max_concurrency=4), clips(4)))
    assert [got[f"c{n}"]["error_kind"] for n in range(4)] == ["refused", None, None, None]


def test_a_403_for_everybody_stops_the_run(server, captioner, run):
    server.script = {n: [error(403)] for n in range(1, 60)}
    with pytest.raises(AnnotatorError, match="8 clips in a row"):
        run(captioner(max_concurrency=1), clips(60))


WRITTEN = {
    "<think>The user wants a caption.</think>\n\nA red ball.": ("A red ball.", None),
    "<think>The user wants": (None, "empty_output"),
    "A red ball.<|im_end|>": ("A red ball.", None),
    "assistant\n\nA red ball.": ("A red ball.", None),
    "\u200b": (None, "empty_output"),
    "[no caption]": (None, "empty_output"),
    "I don't see any image attached.": (None, "refused"),
    "抱歉，我无法描述这张图片。": (None, "refused"),
}


@pytest.mark.parametrize("written", WRITTEN)
def test_an_answer_is_judged(server, captioner, run, written):
    server.default = Act(message={"content": written})
    row = rows(run(captioner(), clips(1)))["c0"]
    assert (row["value"], row["error_kind"]) == WRITTEN[written]
    assert row["tokens_out"] == 20


def test_a_thought_in_its_own_field_is_kept_beside_the_answer(server, captioner, run):
    server.default = Act(message={"content": "A red ball.", "reasoning_content": "I see a ball."})
    row = rows(run(captioner(), clips(1)))["c0"]
    assert (row["value"], json.loads(row["details"])["thought"]) == ("A red ball.", "I see a ball.")


def refusing(*fields, message="Unsupported parameter: '{}' is not supported with this model."):
    def refuse(body):
        shown = (
            body | {"detail": None}
            if "detail" in json.dumps(body["messages"][0]["content"][0])[-60:]
            else body
        )
        name = next((field for field in fields if field in shown), None)
        return name and error(400, "unsupported_parameter", message.format(name))

    return refuse


@pytest.mark.parametrize(
    ("fields", "sent", "without"),
    [
        (("max_tokens",), {"max_completion_tokens": 300, "temperature": 0, "seed": 5}, None),
        (("seed",), {"max_tokens": 300, "temperature": 0}, ["seed"]),
        (("temperature", "max_tokens", "seed"), {"max_completion_tokens": 300}, ["seed", "temperature"]),
        (("detail",), {"max_tokens": 300, "temperature": 0, "seed": 5}, ["detail"]),
    ],
)
def test_what_a_server_refuses_is_learnt_from_its_answer_once(server, captioner, run, fields, sent, without):
    server.refuse = refusing(*fields)
    notes = []
    sampling = {"temperature": 0, "seed": 5}
    annotator = captioner(sampling=sampling, max_concurrency=1, log=notes.append)
    got = rows(run(annotator, clips(4)))
    assert [got[f"c{n}"]["value"] for n in range(4)] == [f"clip {n}" for n in range(4)]
    assert len(server.bodies) == 4 + len(fields)
    last = {key: value for key, value in server.bodies[-1].items() if key not in ("model", "messages")}
    assert last == sent
    assert json.loads(got["c0"]["details"]).get("sent_without") == without
    assert any(fields[0] in note for note in notes)


def test_the_words_of_other_servers_are_understood(server, captioner, run):
    pydantic = {
        "detail": [
            {"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}
        ]
    }
    server.refuse = lambda body: Act(422, pydantic) if "seed" in body else None
    got = rows(run(captioner(sampling={"seed": 1}), clips(3)))
    assert {row["status"] for row in got.values()} == {"ok"}


@pytest.mark.parametrize(
    "said",
    [
        "The parameter {} is not implemented", "Cannot find field: {}", "Argument not recognised: {}",
        "{} is disabled for this model", "{} must be 1 for this model", "invalid {}: only 1 is allowed",
        "`{}` and `top_p` cannot both be specified for this model",
    ],
)  # fmt: skip
def test_a_refused_temperature_is_understood_however_it_is_said(server, captioner, run, said):
    server.refuse = refusing("temperature", message=said)
    assert rows(run(captioner(sampling={"temperature": 0.5}), clips(1)))["c0"]["status"] == "ok"


def test_a_prompt_that_is_too_long_is_not_taken_for_a_field_that_is_unknown(server, captioner, run):
    server.default = error(400, message="maximum context length is 4096 tokens, lower max_tokens")
    assert rows(run(captioner(), clips(1)))["c0"]["error_kind"] == "api_error"
    assert len(server.bodies) == 1


@pytest.mark.parametrize("model", ["openai/gpt-5-mini", "azure/o4-mini", "o3", "gpt-5"])
def test_reasoning_models_are_known_behind_a_router(server, captioner, run, model):
    run(captioner(model=model), clips(1))
    assert server.bodies[0].keys() == {"model", "messages", "max_completion_tokens"}


def test_sampling_and_further_fields_are_sent_and_change_the_recipe(server, captioner, run):
    plain = captioner()
    other = captioner(sampling={"top_p": 0.5, "seed": 3}, extra_body={"top_k": 5})
    run(other, clips(1))
    sent = {key: value for key, value in server.bodies[0].items() if key not in ("model", "messages")}
    assert sent == {"max_tokens": 300, "top_p": 0.5, "seed": 3, "top_k": 5}
    prints = {plain.recipe.fingerprint, other.recipe.fingerprint, captioner(revision="b").recipe.fingerprint}
    assert len(prints) == 3


@pytest.mark.parametrize("kind", ["text/event-stream", "application/json"])
def test_a_reply_that_is_always_streamed_is_read(server, captioner, run, kind):
    server.default = Act(body=STREAM, headers={"content-type": kind})
    row = rows(run(captioner(), clips(1)))["c0"]
    assert (row["value"], row["tokens_out"], server.attempts(0)) == ("A red ball.", 3, 1)


def test_a_stream_that_breaks_off_is_no_answer(server, captioner, run):
    server.default = Act(body=STREAM[:180], headers={"content-type": "text/event-stream"})
    assert rows(run(captioner(), clips(1)))["c0"]["error_kind"] == "api_error"


@pytest.mark.parametrize(
    "written",
    [
        " http://localhost:1/v1", "http://localhost:1/v1\r", "http://localhost:1/v1/", "http://localhost:1/v1\r\n",
        "http://localhost:1/v1/chat/completions", "http://localhost:1/v1/completions/", '"http://localhost:1/v1"',
        "http://localhost:1/v1/responses", "http://localhost:1/v1/chat", "<http://localhost:1/v1>", "http://localhost:1/v1,",
        "`http://localhost:1/v1`", "http://localhost:1/v1#", '"http://localhost:1/v1/ "',
    ],
)  # fmt: skip
def test_an_address_is_cleaned(written):
    assert Address(written, SecretStr("")).base_url == "http://localhost:1/v1"


@pytest.mark.parametrize(
    "written",
    [
        "localhost:8000/v1",
        "http://",
        "http://a b/v1",
        "http://a:x/v1",
        "http://[::1",
        "ftp://a",
        "http://a/v1\\r",
    ],
)
def test_an_address_that_is_none_is_one_sentence(captioner, written):
    with pytest.raises(AnnotatorError, match="base_url"):
        captioner(base_url=written)


@pytest.mark.parametrize(
    ("key", "said"), [("x", "max texts: x"), ("EMPTY", "the EMPTYING"), ("k", "unknown key")]
)
def test_a_short_key_does_not_mangle_messages(key, said):
    shown = Address("http://localhost/v1", SecretStr(key)).redact(said)
    assert shown.replace("[api key]", key) == said
    assert "max texts" in shown or "EMPTYING" in shown or shown == said


def test_a_socks_proxy_without_its_package_is_refused_by_name(captioner, run, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    with pytest.raises(AnnotatorError, match=r"ALL_PROXY.*socksio"):
        run(captioner(), clips(1))
