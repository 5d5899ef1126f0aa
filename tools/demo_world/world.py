"""The demo world in words: what can be seen in a demo clip, and the one sentence that says it.

One object in front of a plain background does one thing, or a camera looks over a textured surface. The
world is as small as it can be while a right caption still needs shape, colour, size, motion and background
to be seen, and the motion needs more than one frame.
"""

from dataclasses import dataclass

RGB = tuple[int, int, int]

SHAPES = ("circle", "square", "triangle", "star", "heart", "ring")
SIZES = ("small", "large")
COLOURS: dict[str, RGB] = {
    "red": (220, 30, 30),
    "green": (30, 160, 50),
    "blue": (35, 65, 215),
    "yellow": (245, 225, 30),
    "orange": (250, 135, 15),
    "purple": (135, 40, 165),
    "white": (245, 245, 245),
    "black": (15, 15, 15),
}
BACKGROUNDS: dict[str, RGB] = {
    "white": (240, 240, 240),
    "black": (20, 20, 20),
    "gray": (128, 128, 128),
    "pink": (250, 175, 195),
    "cyan": (110, 215, 225),
    "brown": (115, 75, 45),
}
SURFACES = ("gray", "pink", "cyan", "brown")
MOVES = (
    "moves from left to right",
    "moves from right to left",
    "moves from top to bottom",
    "moves from bottom to top",
)
STILL = "stays still"
ACTIONS = (*MOVES, STILL, "grows", "shrinks")
CAMERA_MOVES = ("pan_right", "pan_left", "tilt_up", "tilt_down", "zoom_in", "zoom_out", "static")


@dataclass(frozen=True, slots=True)
class Slots:
    """What a caption of this world can say; ``None`` where it says nothing.

    ``size`` is left out where it changes, ``action`` where one frame cannot show it, and a textured
    surface has a ``background`` only.
    """

    background: str
    shape: str | None = None
    colour: str | None = None
    size: str | None = None
    action: str | None = None

    @property
    def caption(self) -> str:
        """The sentence that says exactly these slots."""
        if self.shape is None:
            return f"The camera looks over a textured {self.background} surface."
        words = [self.size, self.colour, self.shape, self.action, "on a", self.background, "background."]
        phrase = " ".join(word for word in words if word)
        return f"{'An' if phrase[0] in 'aeiou' else 'A'} {phrase}"

    @property
    def objects(self) -> list[str]:
        """The objects named by the caption."""
        return [self.shape] if self.shape else []

    @property
    def actions(self) -> list[str]:
        """The actions named by the caption; staying still is none."""
        return [self.action] if self.action and self.action != STILL else []
