"""What came back: a chat completion read strictly, and what it means for its clip."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeGuard

from resources.annotation.outcome import Answer, AnsweredError, ErrorKind
from resources.captioners.openai.failures import error_in, is_about_content, is_filtered
from resources.captioners.openai.pricing import Usage
from resources.words import judgement

# As many tokens as any server counts; a larger number is none.
_MOST_TOKENS = 2**40
_CUT_OFF = frozenset({"length", "max_tokens"})
_LONGEST_DETAIL = 200


class MalformedReply(Exception):
    """The server answered 200 with something that is no chat completion."""

    def __init__(self, message: str, usage: Usage | None = None) -> None:
        super().__init__(message)
        self.usage = usage


class ErrorReply(Exception):
    """The server answered 200, and what it sent is an error. ``status``: the one that it should have had."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


@dataclass(frozen=True, slots=True)
class Reply:
    """One chat completion. ``usage`` is ``None`` where the server does not count tokens."""

    text: str
    finish_reason: str
    refusal: str | None
    usage: Usage | None
    details: Mapping[str, Any] = field(default_factory=dict)
    thought: str = ""


def read_reply(payload: Any, request_id: str | None = None) -> Reply:
    """Read the JSON body of a 200.

    Raises:
        MalformedReply: naming what is missing; with the usage, where that at least can be read.
        ErrorReply: it is an error that says whose fault it is.
    """
    if not isinstance(payload, Mapping):
        raise MalformedReply(f"expected a JSON object, got {type(payload).__name__}")
    usage = _usage(payload.get("usage"))
    choices = payload.get("choices")
    if not isinstance(choices, list) or not choices:
        return _without_choices(payload, usage)
    choice = choices[0]
    message = choice.get("message") if isinstance(choice, Mapping) else None
    finish_reason = str((choice.get("finish_reason") if isinstance(choice, Mapping) else None) or "unknown")
    if not isinstance(message, Mapping):
        if not is_filtered(finish_reason):
            raise MalformedReply("the first choice has no message", usage)
        message = {}
    refusal = message.get("refusal")
    details = {
        "request_id": request_id,
        "response_id": payload.get("id"),
        "served_model": payload.get("model"),
        "system_fingerprint": payload.get("system_fingerprint"),
    }
    thought = message.get("reasoning_content") or message.get("reasoning")
    return Reply(
        text=_text(message.get("content"), usage),
        finish_reason=finish_reason[:_LONGEST_DETAIL],
        refusal=str(refusal) if refusal else None,
        usage=usage,
        details={key: value[:_LONGEST_DETAIL] for key, value in details.items() if isinstance(value, str)},
        thought=thought.strip() if isinstance(thought, str) else "",
    )


def _without_choices(payload: Mapping[str, Any], usage: Usage | None) -> Reply:
    """Gemini answers ``choices: null`` for what it blocks; routers put an error of theirs into a 200."""
    blocked = payload.get("promptFeedback") or payload.get("prompt_feedback")
    error = payload.get("error")
    if error or payload.get("success") is False:
        code = error_in(payload).get("code")
        status = code if _is_count(code) and 400 <= code < 600 else 0
        if status or is_about_content(str(payload)):
            raise ErrorReply(status or 400, payload)
        raise MalformedReply(str(error or payload), usage)
    if blocked or (payload.get("choices", ()) is None):
        return Reply("", "content_filter", None, usage)
    raise MalformedReply("no choices in the reply", usage)


class Judging(Protocol):
    """What words are worth; see :func:`resources.words.judgement.judge`."""

    def __call__(self, written: str, *, cut_off: bool) -> judgement.Judgement:
        """The judgement."""


def judge(
    reply: Reply,
    seconds: float | None,
    cost_usd: float | None,
    shown: Mapping[str, Any],
    judging: Judging = judgement.judge,
) -> Answer | AnsweredError:
    """A caption, or the reason why this reply is none. ``shown`` is added to the details.

    A caption cut off by ``max_tokens`` is kept, with the finish reason ``length``.
    """
    judged = judging(reply.text, cut_off=reply.finish_reason.lower() in _CUT_OFF)
    details = {**reply.details, **shown, **judged.details}
    if reply.thought:
        details["thought"] = "\n".join(filter(None, (reply.thought, details.get("thought"))))
    facts = (
        reply.finish_reason,
        reply.usage.tokens_in if reply.usage else None,
        reply.usage.tokens_out if reply.usage else None,
        seconds,
        cost_usd,
    )
    if is_filtered(reply.finish_reason):
        problem = ErrorKind.REFUSED, "stopped by the server's content filter"
    elif reply.refusal:
        problem = ErrorKind.REFUSED, f"the model refused: {judgement.shortened(reply.refusal)}"
    elif judged.verdict.is_answer:
        return Answer(judged.text, *facts, details=details)
    else:
        problem = ErrorKind(judged.verdict), judged.reason
    kind, message = problem
    where = f"request {details['request_id']}, " if "request_id" in details else ""
    return AnsweredError(
        kind, f"{message} ({where}finish_reason {reply.finish_reason})", *facts, details=details
    )


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
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST_TOKENS
