"""Still images as clips of one frame. Runs inside an isolated worker."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from resources.annotation.outcome import ClipError, ErrorKind
from resources.video.frames import Frames
from resources.video.pictures import PixelFormat, SizeLimit
from resources.video.sampling import FrameRule
from resources.video.streams import Budget, require_regular_file

# Sizes are checked against our own budget, before any pixel is decoded.
Image.MAX_IMAGE_PIXELS = None

# What Pillow's plugins raise on damaged data, by experience with flipped bytes.
_PILLOW_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    OverflowError,
    RuntimeError,
    IndexError,
    KeyError,
    struct.error,
)
EXIF_ORIENTATION = 0x0112
WHITE = (255, 255, 255, 255)


@contextmanager
def open_image(path: Path, budget: Budget) -> Iterator[Image.Image]:
    """An image whose header is read and whose size is within the budget.

    Raises:
        ClipError: ``missing_file`` or ``decode_error``; Pillow's errors inside the block become the latter.
    """
    require_regular_file(path)
    try:
        with Image.open(path) as image:
            budget.check_size(*image.size)
            yield image
    except _PILLOW_ERRORS as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ClipError(ErrorKind.DECODE_ERROR, f"Pillow cannot read the image: {reason}") from None


def read_image(
    path: Path, rule: FrameRule, pixel_format: PixelFormat, limit: SizeLimit, budget: Budget
) -> Frames:
    """The image as the one frame of a clip, repeated as ``rule`` asks; of an animation, the first picture.

    EXIF orientation is applied, transparency lies on white, 16-bit gray is scaled to 8 bits.
    """
    with open_image(path, budget) as image:
        upright = ImageOps.exif_transpose(image)
        shown = _to_rgb(upright)
        size = limit.apply(*shown.size)
        if size != shown.size:
            shown = shown.resize(size, Image.Resampling.BICUBIC)
        pixels = np.asarray(shown.convert("L") if pixel_format is PixelFormat.GRAY else shown)
    indices = rule.indices(1)
    budget.check_bytes(len(indices), *size, pixel_format.channels)
    return Frames(
        images=np.stack([pixels] * len(indices)),
        indices=indices,
        num_frames=1,
        times_s=[0.0] * len(indices),
        details={"backend": "pillow", "access": "image", "why": None, "num_frames": 1, "decode_warnings": []},
    )


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_to_8_bit(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        canvas = Image.new("RGBA", image.size, WHITE)
        canvas.alpha_composite(image.convert("RGBA"))
        return canvas.convert("RGB")
    return image.convert("RGB")


def _to_8_bit(wide: np.ndarray) -> np.ndarray:
    """Gray of 16 bits (or float in 0..1) to 8 bits by its nominal range, not by what happens to occur."""
    if wide.dtype.kind == "f":
        scale = 255.0 if wide.max(initial=0) <= 1 else 1.0
    else:
        scale = 1 / 257 if wide.max(initial=0) > 255 else 1.0
    return np.clip(np.rint(wide * scale), 0, 255).astype(np.uint8)
