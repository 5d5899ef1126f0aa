"""Clips that are crops moving through a made-up picture, so that the camera's motion is known exactly."""

import os
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

HEIGHT, WIDTH = 144, 256
SIZE = (HEIGHT, WIDTH)
FRAMES = 20


def world(seed: int = 0) -> NDArray[np.uint8]:
    """A picture of patches and shapes at all sizes, (800, 1200) gray."""
    rng = np.random.default_rng(seed)
    total = np.zeros((800, 1200), np.float32)
    for cells in (6, 16, 48, 120):
        coarse = rng.uniform(-1, 1, (cells, cells * 3 // 2)).astype(np.float32)
        total += cv2.resize(coarse, (1200, 800), interpolation=cv2.INTER_CUBIC) * 45
    picture = np.clip(total + 120, 0, 255).astype(np.uint8)
    for x, y, radius, shade in rng.integers((0, 0, 4, 0), (1200, 800, 25, 256), (150, 4)).tolist():
        cv2.circle(picture, (x, y), radius, shade, -1, cv2.LINE_AA)
    return picture


def shot(
    right: float = 0, down: float = 0, zoom: float = 1, roll: float = 0, frames: int = FRAMES, seed: int = 0
) -> NDArray[np.uint8]:
    """(T, 144, 256) gray: the content moves by pixels to the right and down, grows, turns clockwise (degrees)."""
    picture = world(seed)
    made = []
    for part in np.linspace(0, 1, frames):
        view = cv2.getRotationMatrix2D((600, 400), -roll * part, zoom**part)
        view[:, 2] += WIDTH / 2 - 600 + right * part, HEIGHT / 2 - 400 + down * part
        made.append(cv2.warpAffine(picture, view, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT_101))
    return np.stack(made)


def write_mp4(path: Path, frames: NDArray[np.uint8], fps: int = 10) -> Path:
    """An ordinary H.264 file of gray frames."""
    with av.open(os.fspath(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.height, stream.width = frames.shape[1:]
        stream.pix_fmt = "yuv420p"
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="gray")))
        container.mux(stream.encode(None))
    return path
