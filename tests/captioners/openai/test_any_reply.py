"""Ten thousand replies of every kind and of none: no exception leaves the captioner, every clip ends in one status."""

import json
import random

import pytest
from misbehaving_server import Act
from numbered_clips import clips

from resources.captioners.openai.address import Address
from resources.captioners.openai.dialect import Dialect
from resources.captioners.openai.endpoint import Endpoint
from resources.captioners.openai.failures import Failure
from resources.captioners.openai.reply import judge

REPLIES = 10_000
SEED = 20261125
PLANES = [
    (0x20, 0x7E),
    (0xA0, 0x2FF),
    (0x370, 0x52F),
    (0x600, 0x6FF),
    (0x2000, 0x20FF),
    (0x3040, 0x9FFF),
    (0xD800, 0xDFFF),
    (0xE000, 0xF8FF),
    (0xFFF0, 0xFFFF),
    (0x1F300, 0x1FAFF),
    (0x20000, 0x2A6DF),
    (0xE0000, 0xE007F),
    (0x10FFF0, 0x10FFFF),
]
MARKS = [
    "<think>",
    "</think>",
    "<|im_end|>",
    "</s>",
    "◁think▷",
    "[/THINK]",
    "<|channel|>analysis<|message|>",
    "<answer>",
    "assistant\n\n",
    "<|begin_of_box|>",
    "```\n",
    "\u200b",
    "\u2028",
    "\x00",
    "N/A",
    "I'm sorry, but I can't help.",
    "A red ball rolls.",
    "抱歉，我无法描述。",
    "\\boxed{",
    "<thi",
    "data: [DONE]\n\n",
    "data: {}",
    "event: x\r\n",
]


def text(rng: random.Random) -> str:
    parts = []
    for _ in range(rng.randrange(8)):
        if rng.random() < 0.6:
            parts.append(rng.choice(MARKS))
        else:
            low, high = rng.choice(PLANES)
            parts.append("".join(chr(rng.randint(low, high)) for _ in range(rng.randrange(30))))
    return "".join(parts)


def anything(rng: random.Random, depth: int = 0):
    kind = rng.randrange(10 if depth < 3 else 7)
    if kind < 3:
        return text(rng)
    if kind < 7:
        return rng.choice([None, True, 0, -1, 2**70, 1e308, float("nan"), "", [], {}])
    if kind == 7:
        return [anything(rng, depth + 1) for _ in range(rng.randrange(3))]
    names = [
        "choices",
        "message",
        "content",
        "error",
        "usage",
        "type",
        "text",
        "code",
        "delta",
        "id",
        "prompt_tokens",
    ]
    return {rng.choice(names): anything(rng, depth + 1) for _ in range(rng.randrange(4))}


def completion(rng: random.Random) -> dict:
    """A chat completion in which any one part may be anything."""
    usage = {"prompt_tokens": rng.choice([7, 2**70, -1, None]), "completion_tokens": 3}
    message = {"role": "assistant", "content": text(rng), "refusal": rng.choice([None, None, text(rng)])}
    if rng.random() < 0.2:
        message["reasoning_content"] = rng.choice([text(rng), 7, None])
    finish = rng.choice(["stop", "length", "content_filter", "SAFETY", "", None, 7, text(rng)])
    whole = {
        "id": "x",
        "model": "m",
        "choices": [{"message": message, "finish_reason": finish}],
        "usage": usage,
    }
    holder = rng.choice([whole, whole["choices"][0], message, usage, {}])
    if holder and rng.random() < 0.5:
        holder[rng.choice(list(holder))] = anything(rng)
    return whole


def body(rng: random.Random) -> bytes:
    kind = rng.randrange(10)
    if kind == 0:
        return rng.randbytes(rng.randrange(60))
    if kind == 1:
        return rng.choice([b"[" * 100_000, b"1" * 5000, b"", b"null", b'"x"', b"\xff\xfe{\x00}\x00"])
    if kind == 2:
        events = [anything(rng) for _ in range(rng.randrange(4))]
        return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    made = json.dumps(anything(rng) if kind == 3 else completion(rng), ensure_ascii=rng.random() < 0.5)
    whole = made.encode("utf-8", "surrogatepass")
    return whole if rng.random() < 0.8 else whole[: rng.randrange(len(whole) + 1)]


class Response:
    """What the client hands over, without a connection."""

    def __init__(self, rng: random.Random) -> None:
        self.status_code = (
            200 if rng.random() < 0.8 else rng.choice([400, 401, 403, 404, 422, 429, 451, 500, 599])
        )
        self.content = body(rng)
        self.headers = {"content-type": rng.choice(["application/json", "text/event-stream", text(rng)])}
        self.headers |= rng.choice([{}, {"retry-after": text(rng)}, {"x-request-id": text(rng)}])
        self.text = self.content.decode(errors="replace")

    def json(self):
        return json.loads(self.content)


@pytest.fixture
def endpoint():
    from pydantic import SecretStr

    return Endpoint(None, Address("http://localhost/v1", SecretStr("k")), "m", 1.0, Dialect())  # type: ignore[arg-type]


def test_every_reply_is_one_outcome_and_no_exception(endpoint):
    from resources.annotation.outcome import Answer, AnsweredError, Outcome, Status
    from resources.annotation.outcome_table import lines_to_table, outcomes_to_lines
    from resources.annotation.storable import faults

    rng = random.Random(SEED)
    kinds = set()
    for number in range(REPLIES):
        response = Response(rng)
        if response.status_code == 200:
            result = endpoint._read(response)
        else:
            try:
                parsed = response.json()
            except (ValueError, RecursionError):
                parsed = None
            endpoint.dialect.learn(response.text, "x", {"messages": [], "seed": 1})
            result = endpoint.failure_of_response(response.status_code, parsed, response)
        if isinstance(result, Failure):
            kinds.add(result.cause)
            continue
        judged = judge(result, 0.1, None, {})
        assert isinstance(judged, Answer | AnsweredError)
        is_ok = isinstance(judged, Answer)
        kinds.add("ok" if is_ok else judged.kind)
        value, error = (judged.value, None) if is_ok else (None, judged.message)
        spent = judged if is_ok else judged.answer
        outcome = Outcome(
            f"c{number}",
            Status.OK if is_ok else Status.FAILED,
            value=value,
            error=error,
            finish_reason=spent.finish_reason,
            tokens_in=spent.tokens_in,
            details=spent.details,
        )
        assert faults(outcome) == {}
        assert lines_to_table(outcomes_to_lines([outcome])).num_rows == 1
        if is_ok:
            assert any(char.isalnum() or char < " " for char in value)
            assert "<|im_end|>" not in value
    assert {"ok", "refused", "empty_output", "malformed reply", "content refused"} <= {
        str(kind) for kind in kinds
    }


def test_a_shard_of_any_replies_ends_with_one_status_a_clip(server, captioner, run):
    rng = random.Random(SEED)
    count = 200
    server.script = {n: [Act(body=body(rng)) for _ in range(9)] for n in range(0, count, 2)}
    report = run(captioner(max_attempts=2), clips(count))
    assert report.tally.rows_in == report.tally.ok + report.tally.failed == count
    got = {row["id"]: row for row in report.outcomes.to_pylist()}
    assert [got[f"c{n}"]["value"] for n in range(1, count, 2)] == [f"clip {n}" for n in range(1, count, 2)]
