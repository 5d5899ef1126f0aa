"""Clips whose every frame carries its own number as a bar code, written by PyAV's bundled encoders."""

import os
import wave
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame

BITS = 10
BLOCKS = BITS + 2
WIDTH, HEIGHT = 192, 96
BAR_HEIGHT = 32


def picture(number: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """(H, W, 3) uint8: a moving texture under a bar code of ``number`` and its parity, along the top."""
    y, x = np.mgrid[:height, :width]
    texture = 96 + 60 * np.sin((x + 3 * number) / 9) * np.cos((y - number) / 7)
    image = np.repeat(texture[..., None], 3, axis=2).astype(np.uint8)
    image[..., 2] = 255 - image[..., 2]
    for block, bit in enumerate(_code(number)):
        left, right = block * width // BLOCKS, (block + 1) * width // BLOCKS
        image[: height * BAR_HEIGHT // HEIGHT, left:right] = 235 * bit + 10
    return image


def read_number(image: np.ndarray) -> int:
    """The number of an upright picture of any size; AssertionError where the code is damaged."""
    height, width = image.shape[:2]
    assert width >= 2 * BLOCKS, f"too small for a bar code: {width}x{height}"
    row = round(height * BAR_HEIGHT / HEIGHT / 2)
    columns = [round((block + 0.5) * width / BLOCKS) for block in range(BLOCKS)]
    reach = max(1, width // BLOCKS // 6)
    blocks = [image[row - 1 : row + 2, column - reach : column + reach].mean() for column in columns]
    bits = [int(value > 128) for value in blocks]
    number = sum(bit << place for place, bit in enumerate(bits[:BITS]))
    assert bits == _code(number), f"not one frame's bar code: {bits}"
    return number


def read_numbers(images: Iterable[np.ndarray]) -> list[int]:
    return [read_number(image) for image in images]


def _code(number: int) -> list[int]:
    bits = [number >> place & 1 for place in range(BITS)]
    return [*bits, sum(bits) % 2, 1 - sum(bits) % 2]


@dataclass
class Recipe:
    """How to write a clip; the defaults are a plain H.264 stream of short closed groups with B-frames."""

    codec: str = "libx264"
    numbers: Sequence[int] = range(40)
    fps: int = 10
    width: int = WIDTH
    height: int = HEIGHT
    pix_fmt: str = "yuv420p"
    options: dict[str, str] = field(default_factory=dict)
    container_options: dict[str, str] = field(default_factory=dict)
    format: str | None = None
    times: Sequence[int] | None = None
    time_base: Fraction | None = None
    sample_aspect: Fraction | None = None
    rotation: tuple[int, bool] | None = None
    color: dict[str, int] = field(default_factory=dict)
    audio: bool = False
    delay: int = 0

    def write(self, path: Path) -> Path:
        with ordinary_priority():
            write_clip(path, self)
        return path

    @property
    def stored_size(self) -> tuple[int, int]:
        turned = self.rotation is not None and self.rotation[0] in (90, 270)
        return (self.height, self.width) if turned else (self.width, self.height)

    def stored(self, image: np.ndarray) -> np.ndarray:
        """What to store so that ``rotation`` (degrees counter-clockwise, then mirrored) shows ``image``."""
        if self.rotation is None:
            return image
        degrees, mirrored = self.rotation
        return np.ascontiguousarray(np.rot90(image[:, ::-1] if mirrored else image, -degrees // 90))


DEFAULT_OPTIONS = {
    "libx264": {"preset": "veryfast", "bf": "3", "g": "12", "crf": "20"},
    "libx265": {"preset": "ultrafast", "bf": "3", "g": "12", "x265-params": "log-level=none"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8", "g": "12"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "g": "12"},
    "libsvtav1": {"preset": "12", "g": "12"},
}


@contextmanager
def ordinary_priority() -> Iterator[None]:
    """Undoes what SVT-AV1 does to its caller if that is root: real-time priority, which every child would inherit."""
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def write_clip(path: Path, recipe: Recipe) -> None:
    with av.open(str(path), "w", format=recipe.format, options=recipe.container_options) as container:
        sound = _add_sound(container) if recipe.audio else None
        stream: Any = container.add_stream(recipe.codec, rate=recipe.fps)
        stream.width, stream.height, stream.pix_fmt = *recipe.stored_size, recipe.pix_fmt
        options = {**DEFAULT_OPTIONS.get(recipe.codec, {}), **recipe.options}
        if "x265-params" in recipe.options:
            options["x265-params"] = f"log-level=none:{recipe.options['x265-params']}"
        stream.options = options
        stream.codec_context.thread_count = 1
        if recipe.codec not in DEFAULT_OPTIONS:
            stream.bit_rate = 2_000_000
            if "g" in recipe.options:
                stream.gop_size = int(recipe.options["g"])
        if recipe.time_base:
            stream.codec_context.time_base = recipe.time_base
        if recipe.sample_aspect:
            stream.codec_context.sample_aspect_ratio = recipe.sample_aspect
        if recipe.rotation:
            stream.set_display_rotation(recipe.rotation[0], hflip=recipe.rotation[1])
        for name, value in recipe.color.items():
            setattr(stream.codec_context, name, value)
        if sound:
            _mux_sound(container, sound, len(recipe.numbers) / recipe.fps)
        for place, number in enumerate(recipe.numbers):
            frame = VideoFrame.from_ndarray(
                recipe.stored(picture(number, recipe.width, recipe.height)), "rgb24"
            )
            frame = frame.reformat(format=recipe.pix_fmt)
            frame.pts = (recipe.times[place] if recipe.times else place) + recipe.delay
            frame.time_base = recipe.time_base or Fraction(1, recipe.fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _add_sound(container: Any) -> Any:
    return container.add_stream("aac" if container.format.name != "avi" else "mp2", rate=16000, layout="mono")


def _mux_sound(container: Any, stream: Any, seconds: float) -> None:
    for start in range(0, int(16000 * seconds), 1024):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 16000, start, Fraction(1, 16000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


@dataclass(frozen=True)
class Cut:
    """A stream copy and the numbers of the frames it shows, as ``-ss S -t T -c copy`` would write it."""

    path: Path
    numbers: list[int]


def copy_cut(source: Path, target: Path, numbers: Sequence[int], start: int, count: int) -> Cut:
    """Copy without re-encoding from frame ``start`` (in display order), ``count`` frames long.

    mp4 and mov hide what lies before the start by an edit list; other containers show it from the key frame.
    Frames of an open group that are shown before that key frame have lost what they refer to: nobody has them.
    """
    with av.open(str(source)) as reader:
        stream = reader.streams.video[0]
        packets = [packet for packet in reader.demux(stream) if packet.pts is not None]
        shown = sorted(packet.pts for packet in packets)
        begin = shown[start]
        end = shown[start + count] if start + count < len(shown) else None
        first = max(i for i, packet in enumerate(packets) if packet.is_keyframe and packet.pts <= begin)
        kept = [packet for packet in packets[first:] if end is None or packet.dts < end]
        key = packets[first].pts
        hides = target.suffix in (".mp4", ".mov")
        visible = sorted(packet.pts for packet in kept if packet.pts >= (begin if hides else key))
        expected = [numbers[shown.index(pts)] for pts in visible]
        with av.open(str(target), "w") as writer:
            copied = writer.add_stream_from_template(stream, opaque=True)
            for packet in kept:
                packet.stream = copied
                packet.pts -= begin
                packet.dts -= begin
                writer.mux(packet)
    return Cut(target, expected)


def write_sound_only(path: Path) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16000))
    return path


class Unseekable(BytesIO):
    """A file that a muxer cannot go back in: no index is written."""

    def seekable(self) -> bool:
        return False

    seek = None  # type: ignore[assignment]
