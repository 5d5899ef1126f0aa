"""A reply that came as a stream of events although none was asked for, put together to the one that was."""

import json
from collections.abc import Mapping
from typing import Any

_JOINED = ("content", "reasoning_content", "reasoning", "refusal")


def is_streamed(content_type: str, body: bytes) -> bool:
    """Is this a stream of server-sent events?"""
    return "event-stream" in content_type.lower() or body.lstrip()[:6] in (b"data: ", b"data:{")


def completion_of(body: bytes) -> dict[str, Any]:
    """The chat completion that the events of a stream add up to.

    Raises:
        ValueError: an event is no JSON, or the stream ends before its end was said.
    """
    completion: dict[str, Any] = {}
    message: dict[str, str] = {}
    finish_reason: Any = None
    ended = False
    for line in body.replace(b"\r", b"\n").split(b"\n"):
        if not line.startswith(b"data:"):
            continue
        data = line[len(b"data:") :].strip()
        if data == b"[DONE]":
            ended = True
            break
        event = json.loads(data)
        if not isinstance(event, Mapping):
            raise ValueError("an event of the stream is no object")
        completion |= {key: value for key, value in event.items() if key != "choices" and value is not None}
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, Mapping):
            continue
        finish_reason = choice.get("finish_reason") or finish_reason
        delta = choice.get("delta") or choice.get("message")
        if isinstance(delta, Mapping):
            for key in _JOINED:
                if isinstance(part := delta.get(key), str):
                    message[key] = message.get(key, "") + part
    if not (ended or finish_reason or "error" in completion):
        raise ValueError("the stream ended before its end")
    if message or finish_reason:
        completion["choices"] = [{"message": message, "finish_reason": finish_reason}]
    return completion
