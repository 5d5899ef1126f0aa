"""What a request costs: prices per model, tokens per image, and the estimate before anything is sent."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

BATCH_DISCOUNT = 0.5
_MILLION = 1_000_000


class Detail(StrEnum):
    """How closely the server looks at an image (the API's ``detail`` field)."""

    LOW = "low"
    HIGH = "high"
    AUTO = "auto"


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


def price_of(model: str, prices: Mapping[str, Price]) -> Price | None:
    """The price of a model, or of the one it is a dated snapshot of; ``None`` where neither is listed."""
    table = PRICES | dict(prices)
    while model not in table:
        if (shorter := _SNAPSHOT.sub("", model)) == model:
            return None
        model = shorter
    return table[model]


@dataclass(frozen=True, slots=True)
class _Tiles:
    base: int
    per_tile: int


@dataclass(frozen=True, slots=True)
class _Patches:
    factor: float


_VISION_RULES: tuple[tuple[str, _Tiles | _Patches], ...] = (
    ("gpt-4o-mini", _Tiles(2833, 5667)),
    ("gpt-4.1-mini", _Patches(1.62)),
    ("gpt-4.1-nano", _Patches(2.46)),
    ("gpt-5-mini", _Patches(1.62)),
    ("gpt-5-nano", _Patches(2.46)),
    ("o4-mini", _Patches(1.72)),
    ("gpt-5", _Tiles(70, 140)),
    ("gpt-4", _Tiles(85, 170)),
)
_LARGEST_KNOWN_IMAGE = 2880
"""LLaVA-1.6 spends up to this many tokens on an image; taken for models without a published rule."""


def image_tokens(model: str, height: int, width: int, detail: Detail) -> int:
    """Tokens that a model spends on one image, by OpenAI's published vision rules.

    Source: https://platform.openai.com/docs/guides/images-vision#calculating-costs. ``auto`` counts as
    ``high``, and a model without a published rule as the larger of LLaVA-1.6's maximum and one token for
    each 28 x 28 pixels (Qwen2-VL's rule).
    """
    rule = next((rule for prefix, rule in _VISION_RULES if model.startswith(prefix)), None)
    match rule:
        case _Tiles(base, per_tile):
            if detail is Detail.LOW:
                return base
            height, width = _fit_tiles(height, width)
            return base + per_tile * math.ceil(height / 512) * math.ceil(width / 512)
        case _Patches(factor):
            return math.ceil(factor * min(1536, math.ceil(height / 32) * math.ceil(width / 32)))
    return max(_LARGEST_KNOWN_IMAGE, math.ceil(height * width / 28**2))


def _fit_tiles(height: int, width: int) -> tuple[int, int]:
    shrink = min(1.0, 2048 / max(height, width))
    shrink = min(shrink, 768 / min(height, width)) if min(height, width) * shrink > 768 else shrink
    return max(1, math.floor(height * shrink)), max(1, math.floor(width * shrink))


@dataclass(frozen=True, slots=True)
class RequestSize:
    """Tokens of one request before it is sent: what it will probably use, and what it cannot exceed."""

    likely: Usage
    bound: Usage


def request_size(
    model: str, text: str, image_sizes: Sequence[tuple[int, int]], detail: Detail, max_tokens: int
) -> RequestSize:
    """Size up one request: ``image_sizes`` are (height, width) in pixels as sent.

    A token is at least one UTF-8 byte of text, and about four in English; a caption usually fills half of
    what it is allowed.
    """
    images = sum(image_tokens(model, height, width, detail) for height, width in image_sizes)
    text_bytes = len(text.encode())
    frame_overhead = 16 * (1 + len(image_sizes))
    return RequestSize(
        likely=Usage(images + math.ceil(text_bytes / 4) + 8, math.ceil(max_tokens / 2)),
        bound=Usage(images + text_bytes + frame_overhead, max_tokens),
    )


@dataclass(frozen=True, slots=True)
class Estimate:
    """What clips will probably cost, before any is sent; ``cost_usd`` is ``None`` without a price."""

    model: str
    clips: int
    images: int
    tokens_in: int
    tokens_out: int
    cost_usd: float | None
    limit_usd: float | None

    def line(self) -> str:
        """The estimate in one line for a log."""
        cost = "price unknown" if self.cost_usd is None else f"about ${self.cost_usd:.4f}"
        limit = "" if self.limit_usd is None else f", limit ${self.limit_usd:.4f}"
        return (
            f"estimate for {self.model}: {self.clips} clips, {self.images} frames, "
            f"{self.tokens_in} tokens in, {self.tokens_out} tokens out: {cost}{limit}"
        )
