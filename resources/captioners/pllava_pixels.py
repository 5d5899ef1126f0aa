"""PLLaVA's way from decoded frames to pixel values: three resizes, each of which leaves its mark.

The order and the roundings are those of the original programs (Open-Sora's caption script and PLLaVA's
processor); without the second step pixels move by up to 176 of 255 levels.
"""

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    import torch
    from transformers.image_processing_utils import BaseImageProcessor

LOADED_SHORT_SIDE = 672
CROP_SHORT_SIDE, CROP_LONG_SIDE = 336, 640


def preprocess(frames: np.ndarray, processor: "BaseImageProcessor") -> "torch.Tensor":
    """Frames of one clip to model input.

    Args:
        frames: (T, H, W, 3) uint8 RGB.
        processor: the checkpoint's CLIP image processor: bicubic resize, centre crop, normalisation.

    Returns:
        (T, 3, side, side) float32.
    """
    images = [
        resize_short_side(Image.fromarray(frame), LOADED_SHORT_SIDE, Image.Resampling.BILINEAR)
        for frame in frames
    ]
    images = [limit_long_side(image) for image in images]
    return processor(images=images, return_tensors="pt")["pixel_values"]


def resize_short_side(image: Image.Image, side: int, resample: Image.Resampling) -> Image.Image:
    """Scale so that the shorter side is ``side`` pixels and the longer one its proportion, rounded down."""
    width, height = image.size
    short, long = min(width, height), max(width, height)
    if short == side:
        return image
    longer = int(side * long / short)
    return image.resize((side, longer) if width <= height else (longer, side), resample)


def limit_long_side(image: Image.Image) -> Image.Image:
    """Scale the longer side to at most 640 but the shorter to 336 or more, then crop what rounding left.

    The shorter side becomes ``max(336, min(short, int(min(640, long) / ratio)))`` and the longer one is
    cropped to ``int(that * ratio)``, off centre by the original's rounding.
    """
    width, height = image.size
    ratio = max(width, height) / min(width, height)
    short = min(min(width, height), int(min(CROP_LONG_SIDE, max(width, height)) / ratio))
    short = max(short, CROP_SHORT_SIDE)
    image = resize_short_side(image, short, Image.Resampling.BICUBIC)
    kept = int(short * ratio)
    width, height = image.size
    if max(width, height) == kept:
        return image
    margin = (max(width, height) - kept) // 2
    box = (margin, 0, margin + kept, height) if width >= height else (0, margin, width, margin + kept)
    return image.crop(box)
