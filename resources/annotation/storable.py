"""Can an outcome be stored? Told field by field, before it is written, so that one clip cannot cost its batch."""

import math
from dataclasses import replace
from types import NoneType
from typing import Any

from resources.annotation.clip import Clip
from resources.annotation.outcome import ErrorKind, Outcome, Status


def storable(outcome: Outcome, clip: Clip) -> Outcome:
    """The outcome, or a failure that keeps what of it can be stored: what was paid is not forgotten."""
    if not (unstorable := faults(outcome)):
        return outcome
    emptied: dict[str, Any] = {name: {} if name == "details" else None for name in unstorable}
    sentence = f"the answer cannot be stored: {'; '.join(unstorable.values())}"
    return failed(replace(outcome, **{**emptied, "value": None}), clip, ErrorKind.INTERNAL, sentence)


def failed(outcome: Outcome, clip: Clip, kind: ErrorKind, sentence: str) -> Outcome:
    """The outcome as a failure of the clip."""
    error = f"clip '{clip.id}' ({clip.path}): {sentence}"
    return replace(outcome, status=Status.FAILED, error_kind=kind, error=error)


def faults(outcome: Outcome) -> dict[str, str]:
    """The fields that an annotator filled with what cannot be stored, each with a sentence; empty for none."""
    found = {}
    for name in ("value", "finish_reason"):
        if not isinstance(text := getattr(outcome, name), str | None):
            found[name] = f"{name} must be a text, not {type(text).__name__}"
    for name in ("tokens_in", "tokens_out"):
        if type(count := getattr(outcome, name)) not in (int, NoneType):
            found[name] = f"{name} must be a whole number, not {type(count).__name__}"
    for name in ("seconds", "cost_usd"):
        number = getattr(outcome, name)
        if type(number) not in (int, float, NoneType) or not math.isfinite(number or 0):
            found[name] = f"{name} must be a finite number, not {number!r}"
    if fault := _json_fault(outcome.details, "details"):
        found["details"] = fault
    return found


def _json_fault(value: Any, where: str) -> str | None:
    if isinstance(value, dict):
        for key in value:
            if type(key) is not str:
                return f"{where} has the key {key!r}, which is no text"
    if isinstance(value, dict | list | tuple):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        places = [(f"{where}[{key!r}]", item) for key, item in inner]
        return next((fault for place, item in places if (fault := _json_fault(item, place))), None)
    if type(value) is float and not math.isfinite(value):
        return f"{where} is {value}, which JSON does not have"
    if isinstance(value, str) or type(value) in (bool, int, float, NoneType):
        return None
    return f"{where} must be plain JSON (text, numbers, lists, dicts), not {type(value).__name__}"
