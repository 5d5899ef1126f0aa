"""Why a request failed, and what follows from it: try again, give the clip up, or stop altogether."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

from resources.annotation.outcome import ErrorKind
from resources.captioners.openai.pricing import Usage

_OUT_OF_CREDIT = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
_BAD_SETUP = frozenset({"invalid_api_key", "model_not_found", "unsupported_country_region_territory"})
_FILTERED = frozenset({"content_filter", "content_policy_violation", "moderation_blocked"})
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
    FATAL = "fatal"

    @property
    def is_retried(self) -> bool:
        """May another attempt succeed?"""
        return self not in (Cause.REJECTED, Cause.REFUSED, Cause.FATAL)

    @property
    def may_be_billed(self) -> bool:
        """May the server have done (and charged) the work before the attempt failed?"""
        return self in (Cause.TIMEOUT, Cause.DROPPED, Cause.MALFORMED)

    @property
    def error_kind(self) -> ErrorKind:
        """What a clip is recorded as when its last attempt failed like this."""
        if self is Cause.RATE_LIMIT:
            return ErrorKind.RATE_LIMITED
        return ErrorKind.REFUSED if self is Cause.REFUSED else ErrorKind.API_ERROR


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt. ``message`` holds no secrets; ``usage`` is what was charged, if known."""

    cause: Cause
    message: str
    retry_after_s: float | None = None
    usage: Usage | None = None


def cause_of_status(status: int, code: str | None) -> Cause:
    """What an HTTP status (and the error code of the body, as OpenAI and Azure set it) means."""
    if code in _FILTERED:
        return Cause.REFUSED
    if status in (401, 402, 403, 404) or code in _OUT_OF_CREDIT or code in _BAD_SETUP:
        return Cause.FATAL
    if status == 429:
        return Cause.RATE_LIMIT
    if status >= 500 or status in (408, 409, 425):
        return Cause.SERVER
    return Cause.REJECTED


def error_code(body: object) -> str | None:
    """The machine-readable code in an error body, ``{"error": {"code": …}}`` or the inner part alone."""
    if not isinstance(body, Mapping):
        return None
    inner = body.get("error")
    error = inner if isinstance(inner, Mapping) else body
    for key in ("code", "type"):
        if isinstance(value := error.get(key), str) and value in _OUT_OF_CREDIT | _BAD_SETUP | _FILTERED:
            return value
    return None


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
