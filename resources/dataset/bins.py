"""The classes into which numbers are sorted for counting."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bin:
    """Numbers from ``low`` up to, but not including, ``high`` (``None``: no end)."""

    facet: str
    low: float
    high: float | None
    label: str
    position: int


# In the order in which facets are reported.
_EDGES: dict[str, list[tuple[float, str]]] = {
    "text_len": [
        *((float(low), f"{low}–{low + 9}") for low in range(0, 100, 10)),
        *((float(low), f"{low}–{low + 49}") for low in range(100, 200, 50)),
        (200, "200 or more"),
    ],
    # The area of the usual 16:9 frames, so that a portrait or square clip of as many pixels is in the same class.
    "resolution": [
        (0, "below 144p"),
        (256 * 144, "144p"),
        (426 * 240, "240p"),
        (640 * 360, "360p"),
        (854 * 480, "480p"),
        (1280 * 720, "720p"),
        (1920 * 1080, "1080p"),
        (2560 * 1440, "1440p"),
        (3840 * 2160, "2160p or more"),
    ],
    "duration_s": [
        (0, "below 1 s"),
        (1, "1–2 s"),
        (2, "2–5 s"),
        (5, "5–10 s"),
        (10, "10–30 s"),
        (30, "30–60 s"),
        (60, "1 min or more"),
    ],
    "num_frames": [
        (1, "1"),
        (2, "2–15"),
        (16, "16–50"),
        (51, "51–100"),
        (101, "101–250"),
        (251, "251–500"),
        (501, "more than 500"),
    ],
    "aspect_ratio": [
        (0, "wider than 2:1"),
        (0.5, "wide (up to 3:2)"),
        (2 / 3, "nearly 4:3"),
        (0.85, "square"),
        (1.15, "portrait"),
    ],
}

BINS = [
    Bin(facet, low, edges[place + 1][0] if place + 1 < len(edges) else None, label, place)
    for facet, edges in _EDGES.items()
    for place, (low, label) in enumerate(edges)
]
