"""Which clips belong in a training set."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from resources.annotation.clip import Kind
from resources.annotation.declaration import SOURCE_TEXT
from resources.camera_motion.classify import Label


class FilterError(ValueError):
    """A filter that cannot mean anything; the message names it and what it may be."""


@dataclass(frozen=True)
class ClipFilters:
    """Bounds are inclusive; ``None`` and an empty list leave a property open.

    Args:
        fmin, fmax: number of frames.
        min_resolution, max_resolution: height × width, in pixels.
        min_aspect_ratio, max_aspect_ratio: height / width.
        min_duration_s, max_duration_s: seconds; a clip without a duration (an image) fails a bound on it.
        min_text_len, max_text_len: words of the text.
        kinds: ``video`` and/or ``image``.
        captioners: where the text may come from: captioner assets, or ``source``.
        required: annotators whose status must be ``ok``.
        camera_motion: labels of which a clip must have at least one.
        languages: ISO 639-1 codes the text may be in, as `language.language_of` tells it.
        drop_duplicates: keep the first clip of those with the same content.
        drop_near_duplicates: of the clips that are left, keep the largest, longest, sharpest of each that show the same
    """

    fmin: int | None = None
    fmax: int | None = None
    min_resolution: int | None = None
    max_resolution: int | None = None
    min_aspect_ratio: float | None = None
    max_aspect_ratio: float | None = None
    min_duration_s: float | None = None
    max_duration_s: float | None = None
    min_text_len: int | None = None
    max_text_len: int | None = None
    kinds: list[str] = field(default_factory=list)
    captioners: list[str] = field(default_factory=list)
    required: list[str] = field(default_factory=list)
    camera_motion: list[str] = field(default_factory=list)
    languages: list[str] = field(default_factory=list)
    drop_duplicates: bool = False
    drop_near_duplicates: bool = False

    def __post_init__(self) -> None:
        for name, may_be in _VALUES.items():
            _require(name, getattr(self, name), may_be)
        for low, high in _RANGES:
            bottom, top = getattr(self, low), getattr(self, high)
            if bottom is not None and top is not None and bottom > top:
                raise FilterError(f"{low} {bottom} is above {high} {top}: no clip can pass")

    def require_known(self, captioners: Sequence[str], annotators: Sequence[str]) -> None:
        """Make sure that the collection has the captioners and annotators that are named.

        Raises:
            FilterError: one is not there.
        """
        for name, there in (("captioners", [*captioners, SOURCE_TEXT]), ("required", annotators)):
            _require(name, getattr(self, name), there)

    @property
    def sql_parameters(self) -> dict[str, Any]:
        """The parameters of ``training_rows.sql``."""
        return {name: value for name, value in asdict(self).items() if name not in _NOT_IN_SQL}

    @property
    def active(self) -> dict[str, Any]:
        """Only what restricts something, for the record beside the export."""
        return {name: value for name, value in asdict(self).items() if value not in (None, [], False)}


def _require(name: str, wanted: Sequence[str], there: Sequence[str]) -> None:
    if unknown := sorted(set(wanted) - set(there)):
        raise FilterError(f"{name}: there is no {', '.join(unknown)}; there are {', '.join(there)}")


_NOT_IN_SQL = frozenset({"languages", "drop_near_duplicates"})
_VALUES: dict[str, Sequence[str]] = {
    "camera_motion": tuple(Label),
    "kinds": tuple(Kind),
}
_RANGES = (
    ("fmin", "fmax"),
    ("min_resolution", "max_resolution"),
    ("min_aspect_ratio", "max_aspect_ratio"),
    ("min_duration_s", "max_duration_s"),
    ("min_text_len", "max_text_len"),
)
