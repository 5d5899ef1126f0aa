"""What is sent for one clip: its frames as data URIs in the order of time, then the prompt."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from resources.captioners.openai.pricing import RequestSize, request_size

if TYPE_CHECKING:
    from resources.captioners.openai.kind import OpenAI

_REASONING_MODEL = re.compile(r"(o\d|gpt-5)")
_PNG_LEVEL = 6
_TEMPERATURE = 0.0
_SEED = 0


@dataclass(frozen=True, slots=True)
class CaptionRequest:
    """The request of one clip, ready to send. ``details`` say what was shown, for the outcome."""

    clip_id: str
    body: Mapping[str, Any]
    size: RequestSize
    details: Mapping[str, Any]


def build_request(
    clip_id: str, text: str, images: np.ndarray, details: Mapping[str, Any], settings: "OpenAI"
) -> CaptionRequest:
    """Frames ``images`` ((T, H, W, 3) uint8 RGB, in time order) and the prompt ``text`` as one message."""
    uris = [_data_uri(image, settings) for image in images]
    content: list[dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": uri, "detail": settings.detail}} for uri in uris
    ]
    content.append({"type": "text", "text": text})
    return CaptionRequest(
        clip_id,
        {"messages": [{"role": "user", "content": content}], **_model_fields(settings)},
        size_of(settings, text, len(images)),
        details,
    )


def size_of(settings: "OpenAI", text: str, images: int) -> RequestSize:
    """Tokens of a request with so many frames."""
    return request_size(text, images, settings.detail, settings.max_tokens)


def recorded(settings: "OpenAI") -> dict[str, Any]:
    """What a recipe records of the request: everything in it that is the same for all clips."""
    lossy = {"jpeg_quality": settings.jpeg_quality} if settings.image_format == "jpeg" else {}
    return {
        "model": settings.model,
        "detail": settings.detail,
        "image_format": settings.image_format,
        **lossy,
        "max_tokens": settings.max_tokens,
        "temperature": _TEMPERATURE,
        "seed": _SEED,
        "extra_body": {},
    }


def _model_fields(settings: "OpenAI") -> dict[str, Any]:
    """Reasoning models count their thoughts as completion tokens and know no temperature."""
    if _REASONING_MODEL.match(settings.model):
        fields: dict[str, Any] = {"max_completion_tokens": settings.max_tokens}
    else:
        fields = {"max_tokens": settings.max_tokens, "temperature": _TEMPERATURE}
    return {"model": settings.model, **fields, "seed": _SEED}


def _data_uri(image: np.ndarray, settings: "OpenAI") -> str:
    """OpenCV and not Pillow, which holds Python's global lock while it compresses; the files are the same."""
    import cv2

    if settings.image_format == "jpeg":
        options = [cv2.IMWRITE_JPEG_QUALITY, settings.jpeg_quality]
    else:
        options = [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL]
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    done, compressed = cv2.imencode(f".{settings.image_format}", bgr, options)
    if not done:
        raise ValueError(f"a frame of {image.shape} could not be compressed")
    encoded = base64.b64encode(compressed.data).decode("ascii")
    return f"data:image/{settings.image_format};base64,{encoded}"
