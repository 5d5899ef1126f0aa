import pytest

from resources.annotation.outcome import Answer
from resources.captioners.openai.failures import Cause, backoff_s, cause_of_status
from resources.captioners.openai.reply import AnsweredError, judge, read_reply


def completion(content):
    return {"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't assist with that request.",
        "I’m sorry, I cannot help identify people in images.",
        "Sorry, I can't help with that.",
        "I am unable to describe this image.",
        "I cannot provide a description.",
    ],
)
def test_a_refusal_in_words_is_no_caption(text):
    assert isinstance(judge(read_reply(completion(text)), 1.0, None, {}), AnsweredError)


@pytest.mark.parametrize(
    "text",
    [
        "A boy says sorry to his sister and they hug.",
        "Unable to walk, an old dog lies in the sun.",
        "A sign reads 'I can't swim'.",
        "The video shows a red ball. I cannot be mistaken for a blue one.",
    ],
)
def test_a_caption_that_speaks_of_refusing_is_kept(text):
    assert isinstance(judge(read_reply(completion(text)), 1.0, None, {}), Answer)


def test_text_in_parts_is_joined():
    parts = [{"type": "text", "text": "A red "}, {"type": "text", "text": "ball."}]
    assert read_reply(completion(parts)).text == "A red ball."


def test_usage_that_cannot_be_true_is_not_believed():
    payload = completion("x") | {"usage": {"prompt_tokens": -1, "completion_tokens": "many"}}
    assert read_reply(payload).usage is None


@pytest.mark.parametrize(
    ("status", "code", "cause"),
    [
        (401, None, Cause.FATAL),
        (402, None, Cause.FATAL),
        (403, None, Cause.FATAL),
        (404, None, Cause.FATAL),
        (429, "insufficient_quota", Cause.FATAL),
        (400, "model_not_found", Cause.FATAL),
        (429, None, Cause.RATE_LIMIT),
        (400, "content_filter", Cause.REFUSED),
        (400, None, Cause.REJECTED),
        (413, None, Cause.REJECTED),
        (408, None, Cause.SERVER),
        (500, None, Cause.SERVER),
        (529, None, Cause.SERVER),
    ],
)
def test_what_a_status_means(status, code, cause):
    assert cause_of_status(status, code) is cause


def test_backoff_doubles_with_jitter_up_to_a_minute():
    assert [backoff_s(n, 1.0, random_unit=1.0) for n in (1, 2, 3, 9)] == [1.0, 2.0, 4.0, 60.0]
    assert backoff_s(3, 1.0, random_unit=0.0) == 2.0
