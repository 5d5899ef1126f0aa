"""What is sent for one clip: its frames as data URIs in the order of time, then the prompt."""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from resources.captioners.openai.pricing import Detail, RequestSize, request_size

_REASONING_MODEL = re.compile(r"(o\d|gpt-5)")
_PNG_LEVEL = 6


class ImageFormat(StrEnum):
    """How frames are compressed. PNG loses nothing and is several times larger."""

    JPEG = "jpeg"
    PNG = "png"


@dataclass(frozen=True, slots=True)
class RequestSettings:
    """Everything in a request that is the same for all clips.

    ``jpeg_quality`` is 1 to 95. ``extra_body`` holds further fields, for servers that know them.
    """

    model: str
    detail: Detail
    image_format: ImageFormat
    jpeg_quality: int
    max_tokens: int
    temperature: float
    seed: int | None
    extra_body: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, not {self.max_tokens}")
        if not 1 <= self.jpeg_quality <= 95:
            raise ValueError(f"jpeg_quality must be from 1 to 95, not {self.jpeg_quality}")

    def to_json(self) -> dict[str, Any]:
        """What a recipe records of these settings."""
        lossy = {"jpeg_quality": self.jpeg_quality} if self.image_format is ImageFormat.JPEG else {}
        return {
            "model": self.model,
            "detail": self.detail.value,
            "image_format": self.image_format.value,
            **lossy,
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "seed": self.seed,
            "extra_body": dict(self.extra_body),
        }


@dataclass(frozen=True, slots=True)
class CaptionRequest:
    """The request of one clip, ready to send. ``details`` say what was shown, for the outcome."""

    clip_id: str
    body: Mapping[str, Any]
    size: RequestSize
    details: Mapping[str, Any]


def build_request(
    clip_id: str, text: str, images: np.ndarray, details: Mapping[str, Any], settings: RequestSettings
) -> CaptionRequest:
    """Frames ``images`` ((T, H, W, 3) uint8 RGB, in time order) and the prompt ``text`` as one message."""
    uris = [_data_uri(image, settings) for image in images]
    content: list[dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": uri, "detail": settings.detail.value}} for uri in uris
    ]
    content.append({"type": "text", "text": text})
    sizes = [(image.shape[0], image.shape[1]) for image in images]
    return CaptionRequest(
        clip_id,
        {"messages": [{"role": "user", "content": content}], **_model_fields(settings)},
        size_of(settings, text, sizes),
        details,
    )


def size_of(settings: RequestSettings, text: str, sizes: Sequence[tuple[int, int]]) -> RequestSize:
    """Tokens of a request with frames of these (height, width)."""
    return request_size(settings.model, text, sizes, settings.detail, settings.max_tokens)


def _model_fields(settings: RequestSettings) -> dict[str, Any]:
    """Reasoning models count their thoughts as completion tokens and know no temperature."""
    if _REASONING_MODEL.match(settings.model):
        fields: dict[str, Any] = {"max_completion_tokens": settings.max_tokens}
    else:
        fields = {"max_tokens": settings.max_tokens, "temperature": settings.temperature}
    if settings.seed is not None:
        fields["seed"] = settings.seed
    return {"model": settings.model, **fields, **settings.extra_body}


def _data_uri(image: np.ndarray, settings: RequestSettings) -> str:
    """OpenCV and not Pillow, which holds Python's global lock while it compresses; the files are the same."""
    import cv2

    if settings.image_format is ImageFormat.JPEG:
        options = [cv2.IMWRITE_JPEG_QUALITY, settings.jpeg_quality]
    else:
        options = [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL]
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    done, compressed = cv2.imencode(f".{settings.image_format.value}", bgr, options)
    if not done:
        raise ValueError(f"a frame of {image.shape} could not be compressed")
    encoded = base64.b64encode(compressed.data).decode("ascii")
    return f"data:image/{settings.image_format.value};base64,{encoded}"
