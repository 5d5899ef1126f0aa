"""Perceptual hashes: 64 bits of a picture that stay what they are when it is coded again, resized or brightened."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from resources.measures.picture import spread

HASHES = 16
"""Hashes of a clip, at the middles of as many equal parts of it."""
SIDE, LOW = 32, 8
BLANK = 2.0
"""Standard deviation, in gray levels, up to which a picture has nothing to be recognised by."""
DIGITS = 16
NOTHING = "0" * DIGITS


def phash(gray: NDArray[np.uint8]) -> int:
    """The DCT hash of a picture (Zauner, 2010): 0 for a picture that shows nothing.

    Shrunk to 32 x 32, cosine-transformed; bit by bit whether each of the 8 x 8 lowest frequencies is above
    their median, the first in the highest bit.
    """
    small = cv2.resize(gray, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    if spread(small) <= BLANK:
        return 0
    low = cv2.dct(small)[:LOW, :LOW]
    return int.from_bytes(np.packbits(low > np.median(low)).tobytes(), "big")


def clip_hash(frames: NDArray[np.uint8]) -> str:
    """The hashes of 16 moments of a clip as one text of hex digits, 16 each; of an image, one.

    ``frames``: (T, H, W), evenly spaced from the first to the last.
    """
    count = HASHES if len(frames) > 1 else 1
    moments = ((np.arange(count) + 0.5) / count * len(frames)).astype(int)
    return "".join(f"{phash(frames[moment]):0{DIGITS}x}" for moment in moments)


def hashes_of(texts: Sequence[str]) -> NDArray[np.uint64]:
    """(clips, hashes) from texts of one length."""
    return np.frombuffer(bytes.fromhex("".join(texts)), ">u8").astype(np.uint64).reshape(len(texts), -1)
