"""Still images as clips of one frame. Runs inside an isolated worker."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from resources.annotation.outcome import ClipError, ErrorKind
from resources.video.frames import Frames
from resources.video.pictures import CLOSEUP, PictureShape, PixelFormat, SizeLimit
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
EXIF_ROTATIONS = {3: 180, 4: 180, 5: 270, 6: 270, 7: 90, 8: 90}
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


def read_image(path: Path, rule: FrameRule, shape: PictureShape) -> Frames:
    """The image as the one frame of a clip, repeated as ``rule`` asks; of an animation, the first picture.

    EXIF orientation is applied, transparency lies on white, 16-bit gray is scaled to 8 bits.
    """
    with open_image(path, shape.budget) as image:
        bits = bit_depth(image)
        whole = _to_rgb(ImageOps.exif_transpose(image), bits)
        shown = _shrunk(whole, shape.limit)
        pixels = np.asarray(shown.convert("L") if shape.pixel_format is PixelFormat.GRAY else shown)
        closeup = np.asarray(_shrunk(whole, CLOSEUP))[None] if shape.closeups else None
    indices = rule.indices(1)
    shape.budget.check_bytes(len(indices), *shown.size, shape.pixel_format.channels)
    return Frames(
        images=np.stack([pixels] * len(indices)),
        indices=indices,
        num_frames=1,
        times_s=[0.0] * len(indices),
        details={"backend": "pillow", "access": "image", "why": None, "num_frames": 1, "decode_warnings": []},
        closeups=closeup,
    )


def _shrunk(image: Image.Image, limit: SizeLimit) -> Image.Image:
    size = limit.apply(*image.size)
    return image if size == image.size else image.resize(size, Image.Resampling.BICUBIC)


def bit_depth(image: Image.Image) -> int:
    """Bits of one sample as the file stores it: Pillow itself reads 48-bit colour as 24-bit, without a word.

    Ask before the picture is loaded.
    """
    tiles = getattr(image, "tile", None)
    layout = tiles[0].args if tiles else None
    raw_mode, *more = layout if isinstance(layout, tuple) else (layout,)
    if image.format == "PPM" and more:
        return max(8, int(more[0]).bit_length())
    if ";16" in f"{image.mode} {raw_mode}":
        return 16
    return {"1": 1, "I": 32, "F": 32}.get(image.mode, 8)


def _to_rgb(image: Image.Image, bits: int) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_to_8_bit(np.asarray(image), is_16_bit=8 < bits <= 16)).convert("RGB")
    if image.has_transparency_data:
        canvas = Image.new("RGBA", image.size, WHITE)
        canvas.alpha_composite(image.convert("RGBA"))
        return canvas.convert("RGB")
    return image.convert("RGB")


def _to_8_bit(wide: np.ndarray, is_16_bit: bool) -> np.ndarray:
    """Gray of 16 bits (or float in 0..1) to 8 bits by its nominal range, not by what happens to occur.

    Integers of 32 bits have no such range: they are taken for 8 bits where none is larger.
    """
    if wide.dtype.kind == "f":
        scale = 255.0 if wide.max(initial=0) <= 1 else 1.0
    else:
        scale = 1 / 257 if is_16_bit or wide.max(initial=0) > 255 else 1.0
    return np.clip(np.rint(wide * scale), 0, 255).astype(np.uint8)
