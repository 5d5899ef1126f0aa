"""Still images as clips of one frame. Runs inside an isolated worker."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image, ImageCms, ImageOps

from resources.annotation.outcome import undecodable
from resources.video.budget import Budget
from resources.video.causes import why_unreadable
from resources.video.frames import Frames
from resources.video.pictures import CLOSEUP, PictureShape, PixelFormat, SizeLimit, Taken, frames_of
from resources.video.sampling import FrameRule
from resources.video.streams import require_regular_file

# Sizes are checked against our own budget, before any pixel is decoded.
Image.MAX_IMAGE_PIXELS = None

# What Pillow's plugins raise on damaged data, by experience with flipped bytes.
PILLOW_ERRORS = (
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
JPEG_START, JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
JPEG_TAIL = 65536
"""Bytes at the end in which an end marker is looked for: cameras and editors append what is none of the picture's."""
JUNK = b"\x5a\xa5\x3c"
MOST_LOST = 0.01
"""Share of the pixels that may have gone with the end of a JPEG."""
WHITE = (255, 255, 255, 255)


pillow_heif.register_heif_opener()


@contextmanager
def open_image(path: Path, budget: Budget, content: bytes | None = None) -> Iterator[Image.Image]:
    """An image whose header is read and whose size is within the budget; from ``content`` if given.

    Raises:
        ClipError: ``missing_file`` or ``decode_error``; Pillow's errors inside the block become the latter.
    """
    require_regular_file(path)
    try:
        with Image.open(path if content is None else BytesIO(content)) as image:
            budget.check_size(*image.size)
            yield image
    except PILLOW_ERRORS as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        message = why_unreadable(path) or f"Pillow cannot read the image: {reason}"
        raise undecodable(message) from None


def read_image(path: Path, rule: FrameRule, shape: PictureShape) -> Frames:
    """The image as the one frame of a clip, repeated as ``rule`` asks; of an animation, the first picture.

    EXIF orientation and colour profile are applied, transparency lies on white, 16-bit gray is scaled to 8 bits.
    """
    warnings: list[str] = []
    content = mended_jpeg(path, shape.budget)
    if content is not None:
        warnings.append("the end marker is missing")
    with open_image(path, shape.budget, content) as image:
        bits = bit_depth(image)
        whole = _to_rgb(ImageOps.exif_transpose(image), bits, warnings)
        taken = taken_of(whole, 0.0, shape, near=shape.closeups > 0)
    picked = rule.pick([0.0])
    size = shape.limit.apply(*whole.size)
    shape.budget.check_bytes(len(picked.wanted), *size, shape.pixel_format.channels)
    return frames_of(picked, {0: taken}, "pillow", "image", None, warnings)


def taken_of(whole: Image.Image, time_s: float, shape: PictureShape, *, near: bool) -> Taken:
    """An RGB picture as it is wanted; ``near``: as a closeup too."""
    shown = _shrunk(whole, shape.limit)
    return Taken(
        np.asarray(shown.convert("L") if shape.pixel_format is PixelFormat.GRAY else shown),
        time_s,
        np.asarray(_shrunk(whole, CLOSEUP)) if near else None,
    )


def _shrunk(image: Image.Image, limit: SizeLimit) -> Image.Image:
    size = limit.apply(*image.size)
    return image if size == image.size else image.resize(size, Image.Resampling.BICUBIC)


def mended_jpeg(path: Path, budget: Budget) -> bytes | None:
    """A JPEG that lacks nothing but its end marker, with one; ``None`` for any other file.

    Whether something lacks is seen by decoding it twice, before two different ends: what is whole does not change.
    """
    require_regular_file(path)
    with path.open("rb") as file:
        if file.read(3) != JPEG_START:
            return None
        file.seek(-2, 2)
        if file.read() == JPEG_END:
            return None
        file.seek(0)
        content = file.read()
    if JPEG_END in content[-JPEG_TAIL:]:
        return None
    pictures = []
    for tail in (b"", JUNK * (len(content) // len(JUNK) + 1)):
        with open_image(path, budget, content + tail + JPEG_END) as image:
            pictures.append(np.asarray(image).reshape(image.height, image.width, -1))
    lost = (pictures[0] != pictures[1]).any(axis=2).mean()
    return content + JPEG_END if lost <= MOST_LOST else None


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


def on_white(image: Image.Image) -> Image.Image:
    """``image`` as RGB, transparency on white."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    canvas = Image.new("RGBA", image.size, WHITE)
    canvas.alpha_composite(image.convert("RGBA"))
    return canvas.convert("RGB")


def _to_rgb(image: Image.Image, bits: int, warnings: list[str]) -> Image.Image:
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_to_8_bit(np.asarray(image), is_16_bit=8 < bits <= 16)).convert("RGB")
    if not profile:
        return on_white(image)
    has_alpha = image.has_transparency_data
    mode = "RGBA" if has_alpha else "RGB"
    if image.mode in ("P", "PA", "1") or (has_alpha and image.mode != "RGBA"):
        image = image.convert(mode)
    try:
        stated = ImageCms.ImageCmsProfile(BytesIO(profile))
        managed = ImageCms.profileToProfile(image, stated, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError) as error:
        warnings.append(f"the colour profile cannot be used: {error}")
        return on_white(image)
    assert managed is not None
    return on_white(managed)


def _to_8_bit(wide: np.ndarray, is_16_bit: bool) -> np.ndarray:
    """Gray of 16 bits (or float in 0..1) to 8 bits by its nominal range, not by what happens to occur.

    Integers of 32 bits have no such range: they are taken for 8 bits where none is larger.
    """
    if wide.dtype.kind == "f":
        scale = 255.0 if wide.max(initial=0) <= 1 else 1.0
    else:
        scale = 1 / 257 if is_16_bit or wide.max(initial=0) > 255 else 1.0
    return np.clip(np.rint(wide * scale), 0, 255).astype(np.uint8)
