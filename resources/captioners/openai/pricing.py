"""What a request costs: prices per model, and the estimate before anything is sent."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

BATCH_DISCOUNT = 0.5
_MILLION = 1_000_000


Detail: TypeAlias = Literal["low", "high", "auto"]
"""How closely the server looks at an image (the API's ``detail`` field)."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the server counted them; ``cached_in`` is the part of ``tokens_in`` read from its cache."""

    tokens_in: int
    tokens_out: int
    cached_in: int = 0


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens. Without ``cached_input``, cached tokens cost the full price."""

    input: float
    output: float
    cached_input: float | None = None

    def __post_init__(self) -> None:
        for value in (self.input, self.output, self.cached_input):
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise ValueError(f"a price is a finite number of dollars, at least 0, not {value}")

    def cost_usd(self, usage: Usage, factor: float = 1.0) -> float:
        """Dollars for one reply; ``factor`` is :data:`BATCH_DISCOUNT` for the Batch API."""
        cached_rate = self.input if self.cached_input is None else self.cached_input
        fresh = usage.tokens_in - usage.cached_in
        total = fresh * self.input + usage.cached_in * cached_rate + usage.tokens_out * self.output
        return factor * total / _MILLION


PRICES: dict[str, Price] = {
    "gpt-4o": Price(2.50, 10.00, 1.25),
    "gpt-4o-2024-05-13": Price(5.00, 15.00),
    "gpt-4o-mini": Price(0.15, 0.60, 0.075),
    "gpt-4-turbo": Price(10.00, 30.00),
    "gpt-4.1": Price(2.00, 8.00, 0.50),
    "gpt-4.1-mini": Price(0.40, 1.60, 0.10),
    "gpt-4.1-nano": Price(0.10, 0.40, 0.025),
    "gpt-5": Price(1.25, 10.00, 0.125),
    "gpt-5-mini": Price(0.25, 2.00, 0.025),
    "gpt-5-nano": Price(0.05, 0.40, 0.005),
    "o4-mini": Price(1.10, 4.40, 0.275),
}
"""OpenAI's list prices of August 2025. Prices change: the ``prices`` setting comes first."""

_SNAPSHOT = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{4,8}|latest|preview)$")


def price_of(model: str, prices: Mapping[str, Price], *, at_openai: bool) -> Price | None:
    """The price of a model, or of the one it is a dated snapshot of; ``None`` where neither is listed.

    The built-in table holds at OpenAI only: a model of the same name at another server costs something else.
    """
    table = (PRICES if at_openai else {}) | dict(prices)
    while model not in table:
        if (shorter := _SNAPSHOT.sub("", model)) == model:
            return None
        model = shorter
    return table[model]


_LIKELY_IMAGE: dict[Detail, int] = {"low": 85, "high": 765, "auto": 765}
"""Tokens of a 1024 x 1024 image at gpt-4o. https://platform.openai.com/docs/guides/images-vision."""

_LARGEST_IMAGE: dict[Detail, int] = {"low": 4_000, "high": 50_000, "auto": 50_000}
"""No less than any image by the same page: gpt-4.1-nano whatever the detail 3,779, gpt-4o-mini in full 48,169."""


@dataclass(frozen=True, slots=True)
class RequestSize:
    """Tokens of one request before it is sent: what it will probably use, and what it cannot exceed."""

    likely: Usage
    bound: Usage


def request_size(text: str, images: int, detail: Detail, max_tokens: int) -> RequestSize:
    """Size up one request with so many images.

    A token is at least one UTF-8 byte of text, and about four in English; a caption usually fills half of
    what it is allowed.
    """
    text_bytes = len(text.encode())
    frame_overhead = 16 * (1 + images)
    return RequestSize(
        likely=Usage(
            images * _LIKELY_IMAGE[detail] + math.ceil(text_bytes / 4) + 8, math.ceil(max_tokens / 2)
        ),
        bound=Usage(images * _LARGEST_IMAGE[detail] + text_bytes + frame_overhead, max_tokens),
    )
