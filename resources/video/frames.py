"""The frames that were asked for, and how they were had."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

Backend = Literal["auto", "pyav", "decord"]
"""What decodes.

``auto`` and ``pyav`` are PyAV, which is right on every kind of file and reports damage. ``decord`` uses decord
where the stream is of a kind proven safe for it, checks its answer, and PyAV otherwise.
"""


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of one clip that a rule asked for.

    Attributes:
        images: (T, H, W, 3) uint8 RGB as displayed (upright, square pixels), or (T, H, W) uint8 gray.
        indices: the frame number in display order of each image.
        num_frames: how many frames the clip has.
        times_s: seconds from the first frame to each image, ``None`` where the file has no times.
        details: JSON-able: ``backend``, ``access`` (``seek``, ``sequential`` or ``image``), ``why`` (why
            not the faster or the wanted way), ``num_frames``, ``decode_warnings`` (list of sentences: damaged
            but decodable).
        closeups: (N, H, W, 3) uint8 RGB: some of the pictures in colour, with a shorter side of at most 720
            pixels; ``None`` where none were asked for.
    """

    images: "np.ndarray"
    indices: list[int]
    num_frames: int
    times_s: list[float | None]
    details: dict[str, Any] = field(default_factory=dict)
    closeups: "np.ndarray | None" = None
