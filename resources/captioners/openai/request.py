"""What is sent for one clip: its frames as data URIs in the order of time, then the prompt."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from resources.annotation.clip import Clip, Kind
from resources.captioners.openai.pricing import RequestSize, request_size

if TYPE_CHECKING:
    from resources.captioners.openai.kind import ImageFormat, OpenAI
    from resources.video import Frames

# "openai/gpt-5-mini" at a router, "azure/o4-mini"; how a deployment wants it under any other name is learnt.
_REASONING_MODEL = re.compile(r"(?:.*/)?(?:o\d|gpt-5)")
_PNG_LEVEL = 6
_DEFAULT_SAMPLING = {"temperature": 0}
_TICKS = 1000  # a second


@dataclass(frozen=True, slots=True)
class CaptionRequest:
    """The request of one clip, ready to send. ``details`` say what was shown, for the outcome."""

    clip_id: str
    body: Mapping[str, Any]
    size: RequestSize
    details: Mapping[str, Any]


def build_request(
    clip: Clip, text: str, frames: "Frames", details: Mapping[str, Any], settings: "OpenAI"
) -> CaptionRequest:
    """The frames, in time order, and the prompt ``text`` as one message."""
    fields = _model_fields(settings)
    if settings.send == "video" and clip.kind is Kind.VIDEO:
        content, times = _one_video(frames, settings)
        fields |= times
    else:
        content = [
            {"type": "image_url", "image_url": {"url": _data_uri(image, settings), "detail": settings.detail}}
            for image in frames.images
        ]
    content.append({"type": "text", "text": text.encode(errors="replace").decode()})
    return CaptionRequest(
        clip.id,
        {"messages": [{"role": "user", "content": content}], **fields},
        size_of(settings, text, len(frames.images)),
        details,
    )


def _one_video(frames: "Frames", settings: "OpenAI") -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The frames as the JPEG sequence that vLLM reads as a video, and the fields with their times.

    Times are in milliseconds, as frame numbers at 1,000 a second: so they are exact whatever the clip's rate is.
    """
    jpegs = ",".join(_base64(image, "jpeg", settings.jpeg_quality) for image in frames.images)
    part = {"type": "video_url", "video_url": {"url": f"data:video/jpeg;base64,{jpegs}"}}
    shown: dict[str, Any] = {"num_frames": -1, "do_sample_frames": False}
    times = [time for time in frames.times_s if time is not None]
    if len(times) == len(frames.images) > 1:
        numbers = [round(time * _TICKS) for time in times]
        apart = (numbers[-1] - numbers[0]) / (len(numbers) - 1)
        shown |= {"fps": _TICKS, "frames_indices": numbers}
        shown["total_num_frames"] = max(round(len(numbers) * apart), len(numbers))
    return [part], {"media_io_kwargs": {"video": shown}}


def size_of(settings: "OpenAI", text: str, images: int) -> RequestSize:
    """Tokens of a request with so many frames."""
    return request_size(text, images, settings.detail, settings.max_tokens)


def recorded(settings: "OpenAI") -> dict[str, Any]:
    """What a recipe records of the request: everything in it that is the same for all clips."""
    lossy = {"jpeg_quality": settings.jpeg_quality} if settings.image_format == "jpeg" else {}
    # Recipes of 0.1.0 name a seed, which was sent then; rows of the default settings are not asked for again.
    sampling: dict[str, Any] = {"temperature": 0.0, "seed": 0}
    if settings.sampling != _DEFAULT_SAMPLING:
        sampling = {"temperature": None, "seed": None, **settings.sampling}
    return {
        "model": settings.model,
        **({"revision": settings.revision} if settings.revision is not None else {}),
        "detail": settings.detail,
        "image_format": settings.image_format,
        **lossy,
        "max_tokens": settings.max_tokens,
        **sampling,
        "extra_body": settings.extra_body,
        **({"send": settings.send} if settings.send != "images" else {}),
        **({"serve": settings.serve} if settings.serve is not None else {}),
    }


def _model_fields(settings: "OpenAI") -> dict[str, Any]:
    """Reasoning models count their thoughts as completion tokens and know no temperature."""
    sampling = settings.sampling
    limit = "max_tokens"
    if _REASONING_MODEL.match(settings.model):
        limit = "max_completion_tokens"
        sampling = {} if sampling == _DEFAULT_SAMPLING else sampling
    return {"model": settings.model, limit: settings.max_tokens, **sampling, **settings.extra_body}


def _data_uri(image: np.ndarray, settings: "OpenAI") -> str:
    return f"data:image/{settings.image_format};base64,{_base64(image, settings.image_format, settings.jpeg_quality)}"


def _base64(image: np.ndarray, image_format: "ImageFormat", jpeg_quality: int) -> str:
    """OpenCV and not Pillow, which holds Python's global lock while it compresses; the files are the same."""
    import cv2

    if image_format == "jpeg":
        options = [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality]
    else:
        options = [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL]
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    done, compressed = cv2.imencode(f".{image_format}", bgr, options)
    if not done:
        raise ValueError(f"a frame of {image.shape} could not be compressed")
    return base64.b64encode(compressed.data).decode("ascii")
