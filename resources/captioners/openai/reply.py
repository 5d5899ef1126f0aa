"""What came back: a chat completion read strictly, and what it means for its clip."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from resources.annotation.outcome import Answer, AnsweredError, ErrorKind
from resources.captioners.openai.pricing import Usage

_REFUSAL_LENGTH = 300
_SORRY = (
    r"(?:(?:i['’]?m|i am|we['’]?re|we are) )?(?:very |so )?sorry\b"
    r".{0,40}\b(?:can['’]?t|cannot|can not|unable|not able)\b"
)
_UNABLE = r"(?:i['’]?m|i am) (?:unable|not able) to\b"
_CANNOT = r"i (?:can['’]?t|cannot|can not|won['’]?t) (?:assist|help|provide|describe|identify|comply)\b"
_REFUSAL = re.compile(f"{_SORRY}|{_UNABLE}|{_CANNOT}", re.IGNORECASE | re.DOTALL)


class MalformedReply(Exception):
    """The server answered 200 with something that is no chat completion."""

    def __init__(self, message: str, usage: Usage | None = None) -> None:
        super().__init__(message)
        self.usage = usage


@dataclass(frozen=True, slots=True)
class Reply:
    """One chat completion. ``usage`` is ``None`` where the server does not count tokens."""

    text: str
    finish_reason: str
    refusal: str | None
    usage: Usage | None
    details: Mapping[str, Any] = field(default_factory=dict)


def read_reply(payload: Any, request_id: str | None = None) -> Reply:
    """Read the JSON body of a 200.

    Raises:
        MalformedReply: naming what is missing; with the usage, where that at least can be read.
    """
    if not isinstance(payload, Mapping):
        raise MalformedReply(f"expected a JSON object, got {type(payload).__name__}")
    usage = _usage(payload.get("usage"))
    choices = payload.get("choices")
    if not isinstance(choices, list) or not choices:
        problem = payload.get("error") or "no choices in the reply"
        raise MalformedReply(str(problem), usage)
    choice = choices[0]
    message = choice.get("message") if isinstance(choice, Mapping) else None
    if not isinstance(message, Mapping):
        raise MalformedReply("the first choice has no message", usage)
    refusal = message.get("refusal")
    details = {
        "request_id": request_id,
        "response_id": payload.get("id"),
        "served_model": payload.get("model"),
        "system_fingerprint": payload.get("system_fingerprint"),
    }
    return Reply(
        text=_text(message.get("content"), usage),
        finish_reason=str(choice.get("finish_reason") or "unknown"),
        refusal=str(refusal) if refusal else None,
        usage=usage,
        details={key: value for key, value in details.items() if value is not None},
    )


def judge(
    reply: Reply, seconds: float | None, cost_usd: float | None, shown: Mapping[str, Any]
) -> Answer | AnsweredError:
    """A caption, or the reason why this reply is none. ``shown`` is added to the details.

    A caption cut off by ``max_tokens`` is kept, with the finish reason ``length``.
    """
    details = {**reply.details, **shown}
    facts = (
        reply.finish_reason,
        reply.usage.tokens_in if reply.usage else None,
        reply.usage.tokens_out if reply.usage else None,
        seconds,
        cost_usd,
    )
    if (problem := _problem(reply)) is None:
        return Answer(reply.text.strip(), *facts, details=details)
    kind, message = problem
    where = f"request {details['request_id']}, " if "request_id" in details else ""
    return AnsweredError(
        kind, f"{message} ({where}finish_reason {reply.finish_reason})", *facts, details=details
    )


def _problem(reply: Reply) -> tuple[ErrorKind, str] | None:
    if reply.finish_reason == "content_filter":
        return ErrorKind.REFUSED, "stopped by the server's content filter"
    if reply.refusal:
        return ErrorKind.REFUSED, f"the model refused: {reply.refusal}"
    text = reply.text.strip()
    if not text and reply.finish_reason == "length":
        return ErrorKind.EMPTY_OUTPUT, "all of max_tokens went into thinking and no word into the caption"
    if not text:
        return ErrorKind.EMPTY_OUTPUT, "the model answered with nothing"
    if len(text) < _REFUSAL_LENGTH and _REFUSAL.match(text):
        return ErrorKind.REFUSED, f"the model refused: {text}"
    return None


def _text(content: Any, usage: Usage | None) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(part, Mapping) for part in content):
        return "".join(str(part.get("text") or "") for part in content if part.get("type") == "text")
    raise MalformedReply(f"the message's content is a {type(content).__name__}, not a text", usage)


def _usage(value: Any) -> Usage | None:
    if not isinstance(value, Mapping):
        return None
    tokens_in, tokens_out = value.get("prompt_tokens"), value.get("completion_tokens")
    if not _is_count(tokens_in) or not _is_count(tokens_out):
        return None
    prompt_details = value.get("prompt_tokens_details")
    cached = prompt_details.get("cached_tokens") if isinstance(prompt_details, Mapping) else None
    return Usage(tokens_in, tokens_out, min(cached, tokens_in) if _is_count(cached) else 0)


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
