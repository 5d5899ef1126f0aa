"""How long a server asks its callers to wait: ``Retry-After`` and the ``x-ratelimit-*`` headers."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


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


def duration_s(text: str | None) -> float | None:
    """Seconds of a duration as OpenAI writes it (``20ms``, ``1.5s``, ``6m0s``), or of a plain number."""
    if text is None or (seconds := _number(text)) is not None:
        return seconds if text is not None else None
    parts = _DURATION_PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text.strip():
        return None
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts)


def pause_s(headers: Mapping[str, str], tokens_needed: int) -> float:
    """Seconds to hold back new requests so that the next one is not refused; 0 where nothing is short.

    The buckets refill evenly, so of the time until a bucket is full only the share is waited that brings
    the missing requests or tokens. Source: https://platform.openai.com/docs/guides/rate-limits.
    """
    return max(_shortage_s(headers, "requests", 1), _shortage_s(headers, "tokens", tokens_needed))


def _shortage_s(headers: Mapping[str, str], what: str, needed: int) -> float:
    remaining = _number(headers.get(f"x-ratelimit-remaining-{what}"))
    reset = duration_s(headers.get(f"x-ratelimit-reset-{what}"))
    if remaining is None or reset is None or remaining >= needed:
        return 0.0
    limit = _number(headers.get(f"x-ratelimit-limit-{what}"))
    if limit is None or limit <= remaining:
        return reset
    return reset * min(1.0, (needed - remaining) / (limit - remaining))


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else None
    except ValueError:
        return None
    return value if value is not None and 0 <= value < float("inf") else None
