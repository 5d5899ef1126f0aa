"""The demo world in pixels: a scene with exact geometry, drawn at any time, size and aspect ratio."""

from dataclasses import dataclass, field, replace
from math import cos, pi, radians, sin
from typing import TYPE_CHECKING

from tools.demo_world.world import (
    ACTIONS,
    BACKGROUNDS,
    CAMERA_MOVES,
    COLOURS,
    MOVES,
    RGB,
    SHAPES,
    SURFACES,
    Slots,
)

if TYPE_CHECKING:
    import numpy as np

MARGIN = 0.03
RADII = {"small": (0.15, 0.175), "large": (0.235, 0.28)}
GROWN, SHRUNK = (0.26, 0.30), (0.13, 0.15)
PAN = 0.5  # of the short side, from the first frame to the last
ZOOM = 2.4
SPECKS = 48
_SUBPIXEL = 4  # bits


@dataclass(frozen=True)
class Scene:
    """What happens in a clip, with the geometry that draws it.

    Places and radii are relative to the centred square of the frame (side = the short side, y downwards), so
    that a centre crop keeps the object. ``start`` and ``end`` are (x, y, radius) of the object at t=0 and
    t=1; the camera follows ``camera`` over a textured surface where there is no object.
    """

    slots: Slots
    background_rgb: RGB
    object_rgb: RGB = (0, 0, 0)
    start: tuple[float, float, float] = (0.5, 0.5, 0.0)
    end: tuple[float, float, float] = (0.5, 0.5, 0.0)
    angle: float = 0.0
    camera: str = "static"
    texture_seed: int = 0
    _canvas: dict[tuple[int, int], "np.ndarray"] = field(default_factory=dict, compare=False, repr=False)

    @property
    def still_slots(self) -> Slots:
        """What one frame shows: all but the action."""
        return replace(self.slots, action=None)

    def at(self, t: float) -> tuple[float, float, float]:
        """(x, y, radius) of the object at time t in [0, 1]."""
        x, y, r = (a + (b - a) * t for a, b in zip(self.start, self.end, strict=True))
        return x, y, r

    def draw(self, t: float, height: int, width: int) -> "np.ndarray":
        """The frame at time t in [0, 1]: (height, width, 3) uint8 RGB."""
        if self.slots.shape is None:
            return self._surface(t, height, width)
        frame = self._plain(height, width).copy()
        _draw_shape(
            frame, self.slots.shape, self.at(t), self.angle, self.object_rgb, self._plain(height, width)
        )
        return frame

    def mask(self, t: float, height: int, width: int) -> "np.ndarray":
        """Where the object is at time t: (height, width) uint8, 0 to 255."""
        import numpy as np

        nothing = np.zeros((height, width, 3), np.uint8)
        frame = nothing.copy()
        if self.slots.shape is not None:
            _draw_shape(frame, self.slots.shape, self.at(t), self.angle, (255, 255, 255), nothing)
        return frame[..., 0]

    def _plain(self, height: int, width: int) -> "np.ndarray":
        if (height, width) not in self._canvas:
            self._canvas[height, width] = _speckled(self.background_rgb, self.texture_seed, height, width)
        return self._canvas[height, width]

    def _surface(self, t: float, height: int, width: int) -> "np.ndarray":
        import cv2
        import numpy as np

        side = max(height, width)
        if (height, width) not in self._canvas:
            self._canvas[height, width] = _texture(self.background_rgb, self.texture_seed, int(side * 2.6))
        canvas = self._canvas[height, width]
        scale, dx, dy = _camera_path(self.camera, t, min(height, width))
        middle = canvas.shape[0] / 2
        to_canvas = np.array(
            [[scale, 0, middle + dx - scale * width / 2], [0, scale, middle + dy - scale * height / 2]],
            np.float32,
        )
        return cv2.warpAffine(
            canvas, to_canvas, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )


def _camera_path(camera: str, t: float, short: int) -> tuple[float, float, float]:
    """(canvas pixels per frame pixel, window offset x, y in pixels) at time t."""
    along = PAN * short * (t - 0.5)
    closer, farther = ZOOM ** (1 - t), ZOOM**t
    return {
        "pan_right": (1.0, along, 0.0),
        "pan_left": (1.0, -along, 0.0),
        "tilt_down": (1.0, 0.0, along),
        "tilt_up": (1.0, 0.0, -along),
        "zoom_in": (closer, 0.0, 0.0),
        "zoom_out": (farther, 0.0, 0.0),
        "static": (1.0, 0.0, 0.0),
    }[camera]


def _speckled(rgb: RGB, seed: int, height: int, width: int) -> "np.ndarray":
    """A plain background with faint dust, so that a tracker can see that the camera stands still."""
    import cv2
    import numpy as np

    rng = np.random.default_rng(seed)
    frame = np.full((height, width, 3), rgb, np.uint8)
    short, bits = min(height, width), 1 << _SUBPIXEL
    count = SPECKS * max(height, width) // short
    spots = rng.random((count, 3))
    shades = rng.integers(22, 42, count) * rng.choice((-1, 1), count)
    for (x, y, size), shade in zip(spots.tolist(), shades.tolist(), strict=True):
        colour = tuple(max(0, min(255, channel + shade)) for channel in rgb)
        centre = (int(x * width * bits), int(y * height * bits))
        cv2.circle(
            frame, centre, int((0.007 + 0.006 * size) * short * bits), colour, -1, cv2.LINE_AA, _SUBPIXEL
        )
    return frame


def _texture(rgb: RGB, seed: int, side: int) -> "np.ndarray":
    """A square canvas of overlapping blots in shades of one colour: corners at every scale."""
    import cv2
    import numpy as np

    rng = np.random.default_rng(seed)
    canvas = np.full((side, side, 3), rgb, np.uint8)
    for share, count in ((0.09, 90), (0.045, 320), (0.02, 900)):
        places = rng.integers(0, side, (count, 2))
        shades = rng.integers(-48, 49, count)
        corners = rng.normal(0, share * side / 2, (count, 4, 2))
        for place, shade, blot in zip(places, shades.tolist(), corners, strict=True):
            colour = tuple(max(0, min(255, channel + shade)) for channel in rgb)
            cv2.fillConvexPoly(canvas, (place + blot).astype(np.int32), colour, cv2.LINE_AA)
    return cv2.GaussianBlur(canvas, (0, 0), max(0.8, side / 700))


def _draw_shape(
    frame: "np.ndarray",
    shape: str,
    place: tuple[float, float, float],
    angle: float,
    rgb: RGB,
    behind: "np.ndarray",
) -> None:
    import cv2
    import numpy as np

    height, width = frame.shape[:2]
    short, bits = min(height, width), 1 << _SUBPIXEL
    x = (width - short) / 2 + place[0] * short
    y = (height - short) / 2 + place[1] * short
    radius = place[2] * short
    centre = (round(x * bits), round(y * bits))
    if shape in ("circle", "ring"):
        cv2.circle(frame, centre, round(radius * bits), rgb, -1, cv2.LINE_AA, _SUBPIXEL)
        if shape == "ring":
            hole = np.zeros((height, width), np.uint8)
            cv2.circle(hole, centre, round(radius * 0.58 * bits), 255, -1, cv2.LINE_AA, _SUBPIXEL)
            share = hole[..., None].astype(np.uint16)
            frame[:] = ((frame * (255 - share) + behind * share + 127) // 255).astype(np.uint8)
        return
    turn = radians(angle)
    outline = np.array(
        [
            (x + radius * (u * cos(turn) - v * sin(turn)), y + radius * (u * sin(turn) + v * cos(turn)))
            for u, v in _OUTLINES[shape]
        ]
    )
    cv2.fillPoly(frame, [np.rint(outline * bits).astype(np.int32)], rgb, cv2.LINE_AA, _SUBPIXEL)


def _polar(count: int, radii: tuple[float, ...]) -> list[tuple[float, float]]:
    """Corners on circles of the given radii in turn, the first one on top."""
    turns = [2 * pi * i / count for i in range(count)]
    return [(radii[i % len(radii)] * sin(a), -radii[i % len(radii)] * cos(a)) for i, a in enumerate(turns)]


def _heart() -> list[tuple[float, float]]:
    angles = [2 * pi * i / 48 for i in range(48)]
    return [
        (sin(a) ** 3, -(13 * cos(a) - 5 * cos(2 * a) - 2 * cos(3 * a) - cos(4 * a)) / 16 - 0.1)
        for a in angles
    ]


_OUTLINES = {
    "square": [(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)],
    "triangle": [(u * 1.05, v * 1.05 + 0.2) for u, v in _polar(3, (1.0,))],
    "star": _polar(10, (1.08, 0.44)),
    "heart": _heart(),
}


def random_scene(rng: "np.random.Generator", *, surface: bool = False) -> Scene:
    """A scene drawn at random: an object that does something, or a camera over a textured surface."""
    seed = int(rng.integers(2**31))
    if surface:
        name = str(rng.choice(SURFACES))
        camera = str(rng.choice(CAMERA_MOVES))
        return Scene(Slots(name), _shade(BACKGROUNDS[name], 8, rng), camera=camera, texture_seed=seed)
    background = str(rng.choice(list(BACKGROUNDS)))
    slots = Slots(
        background,
        shape=str(rng.choice(SHAPES)),
        colour=str(rng.choice([name for name in COLOURS if name != background])),
        size=str(rng.choice(tuple(RADII))),
        action=str(rng.choice(ACTIONS)),
    )
    return place(slots, rng, seed)


def place(slots: Slots, rng: "np.random.Generator", seed: int = 0) -> Scene:
    """A scene that shows these slots (all of an object clip's), its free geometry drawn at random."""
    action, colour = slots.action, slots.colour
    assert action
    assert colour
    changes_size = action in ("grows", "shrinks")
    if changes_size:
        little, big = float(rng.uniform(*SHRUNK)), float(rng.uniform(*GROWN))
        radii = (little, big) if action == "grows" else (big, little)
        slots = Slots(slots.background, slots.shape, colour, None, action)
    else:
        assert slots.size
        radii = (float(rng.uniform(*RADII[slots.size])),) * 2
    edge = max(radii) + MARGIN
    x, y = (float(v) for v in rng.uniform(edge, 1 - edge, 2))
    start, end = (x, y, radii[0]), (x, y, radii[1])
    if action in MOVES:
        low, high = edge + float(rng.uniform(0, 0.05)), 1 - edge - float(rng.uniform(0, 0.05))
        if action in ("moves from right to left", "moves from bottom to top"):
            low, high = high, low
        sideways = action in MOVES[:2]
        start = (low, y, radii[0]) if sideways else (x, low, radii[0])
        end = (high, y, radii[1]) if sideways else (x, high, radii[1])
    return Scene(
        slots,
        background_rgb=_shade(BACKGROUNDS[slots.background], 8, rng),
        object_rgb=_shade(COLOURS[colour], 12, rng),
        start=start,
        end=end,
        angle=float(rng.uniform(-8, 8)),
        texture_seed=seed,
    )


def _shade(rgb: RGB, jitter: int, rng: "np.random.Generator") -> RGB:
    r, g, b = (max(0, min(255, channel + int(rng.integers(-jitter, jitter + 1)))) for channel in rgb)
    return r, g, b
