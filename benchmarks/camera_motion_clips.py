"""Clips of known camera motion, made from real photos: the ground truth of benchmarks/camera_motion.py.

A clip is a path of similarities through a photo that is mirrored without end at its borders, disturbed by whatever its
group stands for (noise, objects, fades, ...), and written as a real H.264 file.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from resources.camera_motion.classify import Label, labels_of_transform

Picture = NDArray[np.uint8]
Matrix = NDArray[np.float64]

GUARD = 0.03
SIZES = [(240, 426), (270, 480), (360, 640), (288, 352), (426, 240), (480, 270), (320, 320)]
NO_CLASS = (Label.UNCLASSIFIED,)


@dataclass
class Scene:
    """All that a clip is rendered from.

    ``views``: (T, 3, 3), pixels of the photo to pixels of each frame. ``layers`` are applied to each frame
    in turn, with its number. ``truth`` overrides what follows from the views.
    """

    group: str
    photo: Picture
    size: tuple[int, int]
    views: list[Matrix]
    layers: list[Callable[[Picture, int], Picture]] = field(default_factory=list)
    crf: int = 23
    fps: int = 24
    truth: tuple[Label, ...] | None = None

    @property
    def total(self) -> Matrix:
        """The true transform from the first frame to the last, in pixels of the frame."""
        return self.views[-1] @ np.linalg.inv(self.views[0])

    def labels(self, threshold: float) -> tuple[Label, ...]:
        """Open-Sora's rules on the true transform."""
        return self.truth or labels_of_transform(self.total, self.size, threshold) or NO_CLASS

    def is_borderline(self, threshold: float) -> bool:
        """Would a threshold that is off by 0.03 change the labels?"""
        return self.truth is None and any(
            self.labels(threshold + off) != self.labels(threshold) for off in (-GUARD, GUARD)
        )

    def frames(self) -> list[Picture]:
        """(H, W, 3) uint8 each."""
        return [self._frame(t) for t in range(len(self.views))]

    def _frame(self, t: int) -> Picture:
        frame = look(self.photo, self.views[t], self.size)
        for layer in self.layers:
            frame = layer(frame, t)
        return frame


def look(photo: Picture, view: Matrix, size: tuple[int, int]) -> Picture:
    """What a camera with this view sees of an endless, mirrored photo."""
    shrinks = max(1.0, 1 / np.sqrt(abs(np.linalg.det(view[:2, :2]))))
    if shrinks > 1.5:
        photo = cv2.resize(photo, None, fx=1 / shrinks, fy=1 / shrinks, interpolation=cv2.INTER_AREA)
        view = view @ np.diag([shrinks, shrinks, 1.0])
    return np.asarray(
        cv2.warpAffine(photo, view[:2], size[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101),
        np.uint8,
    )


def similarity(dx: float, dy: float, scale: float, turn_deg: float, size: tuple[int, int]) -> Matrix:
    """Scale and turn around the centre of the frame, then shift by pixels."""
    height, width = size
    about = cv2.getRotationMatrix2D((width / 2, height / 2), turn_deg, scale)
    about[:, 2] += dx, dy
    return np.vstack([about, [0, 0, 1]])


def photos() -> list[Picture]:
    """The colour and grey photos that scikit-image and, if there, scikit-learn carry."""
    from skimage import data

    names = [
        "astronaut",
        "coffee",
        "chelsea",
        "rocket",
        "retina",
        "hubble_deep_field",
        "brick",
        "grass",
        "gravel",
    ]
    found = [getattr(data, name)() for name in names]
    found.append(data.stereo_motorcycle()[0])
    try:
        from sklearn.datasets import load_sample_images
    except ImportError:
        print("scikit-learn is not installed: two photos fewer")
    else:
        found += list(load_sample_images().images)
    return [
        cv2.cvtColor(p, cv2.COLOR_GRAY2RGB) if p.ndim == 2 else np.ascontiguousarray(p[..., :3])
        for p in found
    ]


def write_mp4(path: Path, frames: list[Picture], fps: int, crf: int) -> None:
    """Encode as ordinary closed-GOP H.264, the same bytes every time: x264's macroblock tree is not reproducible."""
    height, width = frames[0].shape[:2]
    options = {"crf": str(crf), "preset": "veryfast", "x264-params": "mbtree=0"}
    with av.open(os.fspath(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


class Maker:
    """Draws scenes at random; equal seeds draw equal scenes."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.photos = photos()

    def base(self, group: str, photo: Picture | None = None) -> Scene:
        """A still view of some photo; groups add the motion."""
        rng = self.rng
        size = SIZES[rng.integers(len(SIZES))]
        photo = self.photos[rng.integers(len(self.photos))] if photo is None else photo
        frames = int(rng.integers(20, 97))
        zoom = rng.uniform(0.8, 1.5) * max(size[0] / photo.shape[0], size[1] / photo.shape[1])
        x, y = rng.uniform(0.35, 0.65, 2) * [photo.shape[1], photo.shape[0]]
        view = np.array([[zoom, 0, size[1] / 2 - zoom * x], [0, zoom, size[0] / 2 - zoom * y], [0, 0, 1]])
        return Scene(group, photo, size, [view] * frames, fps=int(rng.choice([12, 24, 30])))

    def moving(
        self,
        scene: Scene,
        pan: float = 0,
        tilt: float = 0,
        zoom: float = 1,
        roll: float = 0,
        jitter: float = 0,
    ) -> Scene:
        """Move the content by fractions of the short side (right, down), a zoom factor and degrees."""
        short = min(scene.size)
        steps = self.ease(len(scene.views))
        shakes = self.rng.normal(0, jitter * short, (len(steps), 2))
        views = [
            similarity(pan * short * p + sx, tilt * short * p + sy, zoom**p, roll * p, scene.size)
            @ scene.views[0]
            for p, (sx, sy) in zip(steps, shakes, strict=True)
        ]
        return replace(scene, views=views)

    def ease(self, frames: int) -> NDArray[np.float64]:
        """Progress from 0 to 1: even, or starting and stopping softly."""
        even = np.linspace(0, 1, frames)
        return even if self.rng.random() < 0.6 else (1 - np.cos(np.pi * even)) / 2

    def sign(self) -> float:
        return float(self.rng.choice([-1, 1]))

    def far(self, low: float = 0.32, high: float = 1.1) -> float:
        return self.sign() * float(self.rng.uniform(low, high))

    def any_motion(self, group: str, photo: Picture | None = None, still: float = 0.25) -> Scene:
        """A plain pan, tilt, zoom, combination, or none."""
        scene = self.base(group, photo)
        kind = self.rng.random()
        if kind < still:
            return self.moving(
                scene, self.far(0, 0.15), self.far(0, 0.15), float(self.rng.uniform(0.93, 1.07))
            )
        if kind < still + 0.22:
            return self.moving(scene, pan=self.far())
        if kind < still + 0.44:
            return self.moving(scene, tilt=self.far())
        if kind < still + 0.60:
            return self.moving(scene, zoom=self.zoom())
        return self.moving(scene, self.far(), self.far(0, 0.9), zoom=float(self.rng.choice([1, self.zoom()])))

    def zoom(self, low: float = 1.4, high: float = 2.2) -> float:
        factor = float(self.rng.uniform(low, high))
        return factor if self.rng.random() < 0.5 else 1 / factor


def pan(make: Maker) -> Scene:
    return make.moving(make.base("pan"), pan=make.far(0.3, 1.6))


def tilt(make: Maker) -> Scene:
    return make.moving(make.base("tilt"), tilt=make.far(0.3, 1.6))


def zoom(make: Maker) -> Scene:
    return make.moving(make.base("zoom"), zoom=make.zoom(1.35, 3.0))


def strong_zoom(make: Maker) -> Scene:
    return make.moving(make.base("strong_zoom"), zoom=make.zoom(3.0, 5.0))


def combo(make: Maker) -> Scene:
    return make.moving(
        make.base("combo"), make.far(0.3, 1.0), make.far(0, 1.0), float(make.rng.choice([1, make.zoom()]))
    )


def still(make: Maker) -> Scene:
    scene = make.base("static")
    return make.moving(scene, make.far(0, 0.2), make.far(0, 0.2), float(make.rng.uniform(0.92, 1.08)))


def roll(make: Maker) -> Scene:
    return make.moving(
        make.base("roll"), roll=make.far(15, 80), pan=float(make.rng.choice([0, make.far(0.3, 0.8)]))
    )


def shake(make: Maker) -> Scene:
    scene = make.base("shake")
    return make.moving(
        scene, pan=float(make.rng.choice([0, make.far()])), jitter=float(make.rng.uniform(0.005, 0.03))
    )


def noise(make: Maker) -> Scene:
    scene = make.any_motion("noise")
    sigma = make.rng.uniform(15, 30)

    def grain(frame: Picture, t: int) -> Picture:
        del t
        return np.clip(frame + make.rng.normal(0, sigma, frame.shape), 0, 255).astype(np.uint8)

    return replace(scene, layers=[grain], crf=18)


def blur(make: Maker) -> Scene:
    scene = make.any_motion("blur")
    sigma = make.rng.uniform(2, 5)
    return replace(
        scene, layers=[lambda frame, t: np.asarray(cv2.GaussianBlur(frame, (0, 0), sigma), np.uint8)]
    )


def crf40(make: Maker) -> Scene:
    return replace(make.any_motion("crf40"), crf=40)


def brightness(scene: Scene, gains: NDArray[np.float64]) -> Scene:
    return replace(
        scene, layers=[*scene.layers, lambda frame, t: np.clip(frame * gains[t], 0, 255).astype(np.uint8)]
    )


def fade(make: Maker) -> Scene:
    scene = make.any_motion("fade")
    ramp = np.clip(np.linspace(make.rng.uniform(0.03, 0.3), 2, len(scene.views)), 0, 1)
    return brightness(scene, ramp if make.rng.random() < 0.5 else ramp[::-1])


def flicker(make: Maker) -> Scene:
    scene = make.any_motion("flicker")
    return brightness(scene, make.rng.uniform(0.6, 1.25, len(scene.views)))


def paste_object(
    make: Maker, scene: Scene, area: float, moved: tuple[float, float], centre: tuple[float, float]
) -> Scene:
    """An ellipse cut from another photo that moves straight across the frame.

    ``area`` is its share of the frame, ``moved`` its way in widths and heights of the frame around ``centre``.
    """
    height, width = scene.size
    stretch = make.rng.uniform(0.7, 1.5)
    radius = np.sqrt(area * height * width / np.pi)
    axes = int(max(radius * stretch, 3)), int(max(radius / stretch, 3))
    texture = make.photos[make.rng.integers(len(make.photos))]
    patch = cv2.resize(texture, (2 * axes[0] + 1, 2 * axes[1] + 1), interpolation=cv2.INTER_AREA)
    mask = np.zeros(patch.shape[:2], np.uint8)
    cv2.ellipse(mask, axes, axes, 0, 0, 360, 255, -1)
    mask = cv2.GaussianBlur(mask, (3, 3), 0)
    way = make.ease(len(scene.views)) - 0.5

    def paste(frame: Picture, t: int) -> Picture:
        x = (centre[0] + moved[0] * way[t]) * width - axes[0]
        y = (centre[1] + moved[1] * way[t]) * height - axes[1]
        place = np.float32([[1, 0, x], [0, 1, y]])
        over = cv2.warpAffine(patch, place, (width, height)).astype(np.float32)
        alpha = cv2.warpAffine(mask, place, (width, height)).astype(np.float32)[..., None] / 255
        return (frame * (1 - alpha) + over * alpha + 0.5).astype(np.uint8)

    return replace(scene, layers=[*scene.layers, paste])


def object_static_camera(make: Maker) -> Scene:
    scene = make.moving(make.base("object_static_camera"), make.far(0, 0.1), make.far(0, 0.1))
    return paste_object(
        make, scene, float(make.rng.uniform(0.04, 0.25)), (make.far(0.3, 0.9), make.far(0, 0.4)), (0.5, 0.5)
    )


def object_moving_camera(make: Maker) -> Scene:
    scene = make.any_motion("object_moving_camera", still=0)
    return paste_object(
        make, scene, float(make.rng.uniform(0.04, 0.14)), (make.far(0.2, 0.8), make.far(0, 0.4)), (0.5, 0.5)
    )


def large_foreground(make: Maker) -> Scene:
    """An object of 20 % or more of the frame, moving against the camera or followed by it."""
    return in_the_way(make, "large_foreground", None)


def large_foreground_soft(make: Maker) -> Scene:
    """The same in front of a soft background: one out of focus, or clouds."""
    if make.rng.random() < 0.5:
        return in_the_way(make, "large_foreground_soft", clouds(make, float(make.rng.uniform(8, 20))))
    photo = make.photos[make.rng.integers(len(make.photos))]
    return in_the_way(make, "large_foreground_soft", np.asarray(cv2.GaussianBlur(photo, (0, 0), 8), np.uint8))


def in_the_way(make: Maker, group: str, background: Picture | None) -> Scene:
    scene = make.base(group, background)
    amount = make.far(0.35, 0.9)
    upright = make.rng.random() < 0.3
    scene = make.moving(scene, **({"tilt": amount} if upright else {"pan": amount}))
    against = -np.sign(amount) * make.rng.uniform(0.1, 0.5) if make.rng.random() < 0.7 else 0.0
    drift = make.far(0, 0.08)
    moved = (drift, against) if upright else (against, drift)
    centre = make.rng.uniform(0.38, 0.62), make.rng.uniform(0.38, 0.75)
    return paste_object(make, scene, float(make.rng.uniform(0.22, 0.4)), moved, centre)


def clouds(make: Maker, contrast: float) -> Picture:
    """A sky: a soft gradient with faint clouds of all sizes."""
    side = 700
    total = np.zeros((side, side), np.float32)
    for octave in range(2, 6):
        coarse = make.rng.normal(0, 1, (2**octave + 1, 2**octave + 1)).astype(np.float32)
        total += cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC) / 1.7**octave
    total *= contrast / total.std()
    ramp = np.linspace(make.rng.uniform(90, 140), make.rng.uniform(170, 220), side, dtype=np.float32)[:, None]
    tint = np.array([0.85, 0.95, 1.1], np.float32) * 0.95
    return np.clip((ramp + total)[..., None] * tint, 0, 255).astype(np.uint8)


def soft_grain(make: Maker, scene: Scene) -> Scene:
    sigma = make.rng.uniform(0.5, 2)

    def grain(frame: Picture, t: int) -> Picture:
        del t
        return np.clip(frame + make.rng.normal(0, sigma, frame.shape), 0, 255).astype(np.uint8)

    return replace(scene, layers=[*scene.layers, grain])


def sky(make: Maker) -> Scene:
    """Nothing but faint clouds, or the top of a real photo's sky with little else."""
    return open_sky(make, "sky", float(make.rng.uniform(3, 12)))


def faint_sky(make: Maker) -> Scene:
    """The same with hardly any clouds."""
    return open_sky(make, "faint_sky", float(make.rng.uniform(1.2, 3)))


def open_sky(make: Maker, group: str, contrast: float) -> Scene:
    if make.rng.random() < 0.6:
        return soft_grain(make, make.any_motion(group, clouds(make, contrast)))
    photo = make.photos[-2] if len(make.photos) > 10 else make.photos[3]
    top = cv2.resize(photo[: photo.shape[0] // 4, : photo.shape[1] // 2], None, fx=2.2, fy=2.2)
    return soft_grain(make, make.any_motion(group, np.asarray(top, np.uint8)))


def near_empty(make: Maker) -> Scene:
    """A plain wall, softly lit, with a few small things on it."""
    wall = np.full((700, 900, 3), make.rng.uniform(90, 200), np.float32)
    wall += (clouds(make, 2.0)[:700, :1, :].astype(np.float32) - 150) * 0.1
    for _ in range(int(make.rng.integers(14, 30))):
        x, y = (int(v) for v in make.rng.uniform(0, [900, 700]))
        shade = float(wall[0, 0, 0] + make.sign() * make.rng.uniform(15, 60))
        cv2.circle(wall, (x, y), int(make.rng.integers(3, 10)), (shade, shade, shade), -1, cv2.LINE_AA)
    return soft_grain(make, make.any_motion("near_empty", np.clip(wall, 0, 255).astype(np.uint8)))


def talking_head(make: Maker) -> Scene:
    """A head that nods and changes its face in the middle of the frame; the camera rests or drifts."""
    scene = make.any_motion("talking_head", make.photos[0], still=0.6)
    height, width = scene.size
    ys, xs = np.mgrid[:height, :width].astype(np.float32)
    cx, cy, radius = width / 2, height * 0.55, 0.33 * min(height, width)
    inside = np.exp(-((((xs - cx) / radius) ** 2 + ((ys - cy) / (1.3 * radius)) ** 2) ** 2)).astype(
        np.float32
    )
    beats = make.rng.uniform(2, 5, 2)

    def nod(frame: Picture, t: int) -> Picture:
        phase = 2 * np.pi * t / len(scene.views)
        dx = np.float32(0.05 * height * np.sin(beats[0] * phase)) * inside
        dy = np.float32(0.05 * height * np.sin(beats[1] * phase)) * inside * np.cos(xs / radius * 3)
        return np.asarray(
            cv2.remap(frame, xs + dx, ys + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT), np.uint8
        )

    return replace(scene, layers=[nod])


def cut(make: Maker) -> Scene:
    """Two shots; `unclassified` whatever the camera does in them."""
    one = make.any_motion("cut", still=0.5)
    number = int(make.rng.integers(len(make.photos)))
    while make.photos[number] is one.photo:
        number = int(make.rng.integers(len(make.photos)))
    other = make.base("cut", make.photos[number])
    when = int(len(one.views) * make.rng.uniform(0.25, 0.75))
    zoom_other = max(one.size[0] / other.photo.shape[0], one.size[1] / other.photo.shape[1])

    def after(frame: Picture, t: int) -> Picture:
        return frame if t < when else look(other.photo, np.diag([zoom_other, zoom_other, 1.0]), one.size)

    return replace(one, layers=[after], truth=NO_CLASS)


def whip(make: Maker) -> Scene:
    """The whole pan in a few blurred frames."""
    scene = make.base("whip")
    amount = make.far(0.4, 1.0)
    frames, short = len(scene.views), min(scene.size)
    start, length = frames // 3, int(make.rng.integers(3, 7))
    places = np.clip((np.arange(frames + 1) - start) / length, 0, 1) * amount * short
    views = [similarity(places[t], 0, 1, 0, scene.size) @ scene.views[0] for t in range(frames)]

    def smear(frame: Picture, t: int) -> Picture:
        pixels = int(abs(places[t + 1] - places[t]) / 2)
        return frame if pixels < 2 else np.asarray(cv2.blur(frame, (pixels, 1)), np.uint8)

    return replace(scene, views=views, layers=[smear])


def return_trip(make: Maker) -> Scene:
    scene = make.moving(
        make.base("return_trip"), pan=make.far(0.5, 1.0), zoom=float(make.rng.choice([1, 1.4]))
    )
    return replace(scene, views=scene.views[::2] + scene.views[::2][::-1])


def short_clip(make: Maker) -> Scene:
    scene = make.base("short")
    scene = replace(scene, views=scene.views[: int(make.rng.integers(2, 9))])
    frames = len(scene.views)
    return make.moving(scene, pan=float(make.rng.choice([0, make.far(0.3, min(0.12 * frames + 0.2, 0.9))])))


def long_clip(make: Maker) -> Scene:
    scene = make.base("long")
    scene = replace(scene, views=scene.views[:1] * 400)
    return make.moving(scene, make.far(0, 3), make.far(0, 0.9), float(make.rng.choice([1, make.zoom()])))


def layered(make: Maker, scene: Scene, near: Callable[[float], Matrix]) -> Scene:
    """Blobs of another photo nearer to the camera, moved from their first place by ``near(progress)``."""
    height, width = scene.size
    texture = make.photos[make.rng.integers(len(make.photos))]
    tall = cv2.resize(texture, (width * 3, height * 3))
    spots = (make.rng.random((9, 9)) < 0.17).astype(np.float32)
    mask = (cv2.resize(spots, (width * 3, height * 3), interpolation=cv2.INTER_CUBIC) > 0.5).astype(
        np.float32
    )
    first = np.array([[1, 0, -width], [0, 1, -height], [0, 0, 1]], np.float64)
    way = np.linspace(0, 1, len(scene.views))

    def cover(frame: Picture, t: int) -> Picture:
        place = (near(way[t]) @ first)[:2]
        over = cv2.warpAffine(tall, place, (width, height), borderMode=cv2.BORDER_REFLECT_101).astype(
            np.float32
        )
        alpha = cv2.warpAffine(mask, place, (width, height))[..., None]
        return (frame * (1 - alpha) + over * alpha + 0.5).astype(np.uint8)

    return replace(scene, layers=[*scene.layers, cover])


def parallax(make: Maker) -> Scene:
    """The camera slides sideways: near things pass by 1.3 to 2 times as fast as the background."""
    scene = make.base("parallax")
    amount, faster, short = make.far(0.35, 0.9), make.rng.uniform(1.3, 2), min(scene.size)
    steps = np.linspace(0, 1, len(scene.views))
    views = [similarity(amount * short * p, 0, 1, 0, scene.size) @ scene.views[0] for p in steps]
    return layered(
        make,
        replace(scene, views=views),
        lambda p: similarity(amount * faster * short * p, 0, 1, 0, scene.size),
    )


def dolly(make: Maker) -> Scene:
    """The camera drives in or out: near things grow or shrink more than the background."""
    scene = make.base("dolly")
    factor, more = make.zoom(1.6, 2.2), make.rng.uniform(1.2, 1.6)
    steps = np.linspace(0, 1, len(scene.views))
    views = [similarity(0, 0, factor**p, 0, scene.size) @ scene.views[0] for p in steps]
    return layered(
        make, replace(scene, views=views), lambda p: similarity(0, 0, factor ** (more * p), 0, scene.size)
    )


GROUPS: dict[str, Callable[[Maker], Scene]] = {
    "pan": pan,
    "tilt": tilt,
    "zoom": zoom,
    "strong_zoom": strong_zoom,
    "combo": combo,
    "static": still,
    "roll": roll,
    "shake": shake,
    "noise": noise,
    "blur": blur,
    "crf40": crf40,
    "fade": fade,
    "flicker": flicker,
    "object_static_camera": object_static_camera,
    "object_moving_camera": object_moving_camera,
    "large_foreground": large_foreground,
    "large_foreground_soft": large_foreground_soft,
    "sky": sky,
    "faint_sky": faint_sky,
    "near_empty": near_empty,
    "talking_head": talking_head,
    "cut": cut,
    "whip": whip,
    "return_trip": return_trip,
    "short": short_clip,
    "long": long_clip,
    "parallax": parallax,
    "dolly": dolly,
}
