"""Why a request failed, and what follows from it: try again, give the clip up, or stop altogether."""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

from resources.annotation.outcome import ErrorKind
from resources.captioners.openai.pricing import Usage

_OUT_OF_CREDIT = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
_BAD_SETUP = frozenset({"invalid_api_key", "model_not_found", "unsupported_country_region_territory"})
# What servers and routers say of a clip whose content they do not want: OpenAI, Azure, Gemini, DashScope, Zhipu, …
_CONTENT = re.compile(
    r"moderat|content[ _-]?(?:management )?(?:polic|filter|safety|security|inspection)"
    r"|data[ _]?inspection|invalid_prompt|prohibited[ _]content|(?:usage|safety|content|acceptable[ -]use|community)"
    r" (?:polic|guideline|standard)|flagged"
    r"|block(?:ed|_reason)\b.{0,40}(?:safety|polic|content|filter|prohibited)"
    r"|safety (?:system|setting|filter|reason|check)|inappropriate (?:content|input|image)"
    r"|sensitive ?(?:content|word|information|material)|(?:new|input|output)[ _]sensitive|guardrail"
    r"|responsible ?ai|risk control|nsfw|sexual|(?:harmful|unsafe) (?:content|input|image)|policy[ _]violation"
    r"|graphic violence|content exists risk|image_safety|\bSAFETY\b|\bRECITATION\b|blocklist"
    r"|内容安全|敏感|违规|不当内容|审核",
    re.IGNORECASE,
)
_ACCOUNT = re.compile(
    r"account|organi[sz]ation|api[ _-]?key|suspend|deactivat|region|country|territory", re.IGNORECASE
)
_CLIPS_OWN = frozenset({400, 403, 413, 415, 422, 451})
_FILTERED_FINISHES = (
    "content_filter",
    "safety",
    "prohibited_content",
    "recitation",
    "blocklist",
    "spii",
    "image_safety",
    "refusal",
    "sensitive",
    "guardrail",
)
_LONGEST_BACKOFF_S = 60.0


class Cause(StrEnum):
    """The closed set of ways in which one attempt fails."""

    RATE_LIMIT = "rate limit"
    SERVER = "server error"
    UNREACHABLE = "no connection"
    TIMEOUT = "timeout"
    DROPPED = "connection dropped"
    MALFORMED = "malformed reply"
    REJECTED = "request rejected"
    REFUSED = "content refused"
    FORBIDDEN = "not allowed"
    FATAL = "fatal"

    @property
    def is_retried(self) -> bool:
        """May another attempt succeed?"""
        return self not in (Cause.REJECTED, Cause.REFUSED, Cause.FORBIDDEN, Cause.FATAL)

    @property
    def may_be_billed(self) -> bool:
        """May the server have done (and charged) the work before the attempt failed?"""
        return self in (Cause.TIMEOUT, Cause.DROPPED, Cause.MALFORMED)

    @property
    def error_kind(self) -> ErrorKind:
        """What a clip is recorded as when its last attempt failed like this."""
        if self is Cause.RATE_LIMIT:
            return ErrorKind.RATE_LIMITED
        return ErrorKind.REFUSED if self in (Cause.REFUSED, Cause.FORBIDDEN) else ErrorKind.API_ERROR


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt. ``message`` holds no secrets; ``usage`` is what was charged, if known.

    ``is_forbidden``: a 403 without a word of content: the key's fault, or the clip's where others are answered.
    """

    cause: Cause
    message: str
    retry_after_s: float | None = None
    usage: Usage | None = None
    is_forbidden: bool = False


def cause_of_status(status: int, code: str | None, said: str = "") -> Cause:
    """Whose fault an HTTP status is, with the code of the error body and what the server said.

    Content that is not wanted is the clip's, whatever the status of it.
    """
    if status == 451 or (status in _CLIPS_OWN and is_about_content(f"{code} {said}")):
        return Cause.REFUSED
    if status in (401, 402, 403, 404) or code in _OUT_OF_CREDIT or code in _BAD_SETUP:
        return Cause.FATAL
    if status == 429:
        return Cause.RATE_LIMIT
    if status >= 500 or status in (408, 409, 425):
        return Cause.SERVER
    return Cause.REJECTED


def is_about_content(said: str) -> bool:
    """Does the server complain of what it was shown, and not of who asks?"""
    return bool(_CONTENT.search(said)) and not _ACCOUNT.search(said)


def is_filtered(finish_reason: str) -> bool:
    """Did the server end the answer because of its content?"""
    return finish_reason.lower().startswith(_FILTERED_FINISHES)


def error_code(body: object) -> str | None:
    """The machine-readable code in an error body, ``{"error": {"code": …}}`` or the inner part alone."""
    error = error_in(body)
    for key in ("code", "type"):
        if isinstance(value := error.get(key), str) and value in _OUT_OF_CREDIT | _BAD_SETUP:
            return value
    return None


def error_in(body: object) -> Mapping[str, Any]:
    """The part of an error body that tells; empty where it is none."""
    if not isinstance(body, Mapping):
        return {}
    inner = body.get("error")
    return inner if isinstance(inner, Mapping) else body


def fatal_sentence(status: int, code: str | None, model: str, host: str, key: str, said: str) -> str:
    """The one sentence that tells what to do about a fatal reply; ``key`` is the variable with the key."""
    if code in _OUT_OF_CREDIT or status == 402:
        problem = f"the account at {host} has no credit left ({status}): top it up or raise its limit"
    elif status == 401 or code == "invalid_api_key":
        problem = f"{host} refused the API key ({status}): set {key} to a valid one"
    elif status == 403:
        problem = f"{host} does not allow this API key to use the model '{model}' ({status})"
    else:
        problem = f"{host} has no model '{model}', or no chat completions at this base_url ({status})"
    return f"{problem}; it said: {said}" if said else problem


def backoff_s(failed_attempts: int, base_s: float, random_unit: float | None = None) -> float:
    """Seconds before the next attempt: doubling from ``base_s``, at most a minute, half of it jitter."""
    unit = random.random() if random_unit is None else random_unit
    return min(_LONGEST_BACKOFF_S, base_s * 2.0 ** (failed_attempts - 1)) * (0.5 + 0.5 * unit)


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds from ``retry-after-ms`` or ``retry-after`` (seconds or an HTTP date, RFC 9110 §10.2.3)."""
    if (milliseconds := _number(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    if value is None or (seconds := _number(value)) is not None:
        return seconds if value is not None else None
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else None
    except ValueError:
        return None
    return value if value is not None and 0 <= value < float("inf") else None
