"""Perceptual hashes: bits of a picture that stay what they are when it is coded again, resized or brightened."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from resources.measures.picture import spread

MOMENTS = 16
"""Pictures that the signature of a clip is made of, at the middles of as many equal parts of it."""
BLANK = 2.0
"""Standard deviation, in gray levels, up to which a picture has nothing to be recognised by."""
WORDS = 4
"""64-bit words of one picture's part of a signature; the first holds its 8 x 8 lowest frequencies."""
_KEY = np.zeros((16, 16), bool)
_KEY[:8, :8] = True


def phash(gray: NDArray[np.uint8]) -> str:
    """The DCT hash of a picture (Zauner, 2010) as 16 hex digits; all 0 for a picture that shows nothing.

    Shrunk to 32 x 32, cosine-transformed; bit by bit whether each of the 8 x 8 lowest frequencies is above
    their median, the first in the highest bit.
    """
    return np.packbits(_above_median(gray, 32, 8)).tobytes().hex()


def signature(frames: NDArray[np.uint8]) -> str:
    """What near-duplicates of a clip are told by: 64 hex digits for each of 16 moments; of an image, of one.

    Each is :func:`phash` at twice the size, so with 16 x 16 frequencies: 256 bits tell apart what 64 do not where
    there are millions of clips. ``frames``: (T, H, W), evenly spaced from the first to the last.
    """
    count = MOMENTS if len(frames) > 1 else 1
    moments = ((np.arange(count) + 0.5) / count * len(frames)).astype(int)
    bits = [_above_median(frames[moment], 64, 16) for moment in moments]
    return np.packbits([np.r_[one[_KEY], one[~_KEY]] for one in bits]).tobytes().hex()


def words_of(signatures: Sequence[str]) -> NDArray[np.uint64]:
    """(clips, moments, 4) from signatures of one length."""
    words = np.frombuffer(bytes.fromhex("".join(signatures)), ">u8").astype(np.uint64)
    return words.reshape(len(signatures), -1, WORDS)


def _above_median(gray: NDArray[np.uint8], side: int, low: int) -> NDArray[np.bool_]:
    small = cv2.resize(gray, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    if spread(small) <= BLANK:
        return np.zeros((low, low), bool)
    frequencies = cv2.dct(small)[:low, :low]
    return frequencies > np.median(frequencies)
