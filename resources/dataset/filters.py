"""Which clips belong in a training set."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from resources.annotation.clip import Kind
from resources.annotation.declaration import SOURCE_TEXT, Role
from resources.errors import VidcapError

if TYPE_CHECKING:
    from resources.dataset.annotators import Listed


class FilterError(VidcapError):
    """A filter that cannot mean anything; the message names it and what it may be."""


class ClipFilters(BaseModel):
    """Which clips. Bounds are inclusive; what is left out restricts nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fmin: int | None = Field(default=None, description="Fewest frames.")
    fmax: int | None = Field(default=None, description="Most frames.")
    min_resolution: int | None = Field(default=None, description="Fewest pixels (height × width).")
    max_resolution: int | None = Field(default=None, description="Most pixels (height × width).")
    min_aspect_ratio: float | None = Field(default=None, description="Smallest height / width.")
    max_aspect_ratio: float | None = Field(default=None, description="Largest height / width.")
    min_duration_s: float | None = Field(
        default=None, description="Shortest clip in seconds; an image has no duration and fails."
    )
    max_duration_s: float | None = Field(default=None, description="Longest clip in seconds.")
    min_text_len: int | None = Field(default=None, description="Fewest words of the text.")
    max_text_len: int | None = Field(default=None, description="Most words of the text.")
    kinds: list[str] = Field(default=[], description="video and/or image; empty for both.")
    captioners: list[str] = Field(
        default=[], description="Where the text may come from (captions_<name>, source); empty for all."
    )
    required: list[str] = Field(default=[], description="Annotators whose status must be ok.")
    camera_motion: list[str] = Field(
        default=[], description="Labels of which a clip must have one; empty for all."
    )
    languages: list[str] = Field(
        default=[],
        description="Languages of the text (en, de, zh, …); one whose language is not known stays. Empty for all.",
    )
    drop_duplicates: bool = Field(default=False, description="Keep one clip of those with the same content.")
    where: str = Field(default="", description="A condition in SQL over the columns of captioned_videos.")
    drop_near_duplicates: bool = Field(
        default=False, description="Keep the largest, longest, sharpest of the clips that show the same."
    )

    def model_post_init(self, context: object) -> None:
        """Refuse what cannot mean anything.

        Raises:
            FilterError: naming the filter.
        """
        from resources.camera_motion.classify import Label

        _require("camera_motion", self.camera_motion, tuple(Label))
        _require("kinds", self.kinds, tuple(Kind))
        for low, high in _RANGES:
            bottom, top = getattr(self, low), getattr(self, high)
            if bottom is not None and top is not None and bottom > top:
                raise FilterError(f"{low} {bottom} is above {high} {top}: no clip can pass")

    def require_known(self, listed: Sequence["Listed"]) -> None:
        """Make sure that the collection has the captioners and annotators that are named.

        Raises:
            FilterError: one is not there.
        """
        captioners = [one.name for one in listed if one.role is Role.CAPTION]
        _require("captioners", self.captioners, [*captioners, SOURCE_TEXT])
        _require("required", self.required, [one.name for one in listed])

    @property
    def sql_parameters(self) -> dict[str, Any]:
        """The parameters of ``training_rows.sql``."""
        return {name: value for name, value in self._filters.items() if name not in _NOT_IN_SQL}

    @property
    def active(self) -> dict[str, Any]:
        """Only what restricts something, for the record beside the export."""
        return {name: value for name, value in self._filters.items() if value not in (None, [], False, "")}

    @property
    def _filters(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ClipFilters.model_fields}


def _require(name: str, wanted: Sequence[str], there: Sequence[str]) -> None:
    if unknown := sorted(set(wanted) - set(there)):
        raise FilterError(f"{name}: there is no {', '.join(unknown)}; there are {', '.join(there)}")


_NOT_IN_SQL = frozenset({"drop_near_duplicates", "where"})
_RANGES = (
    ("fmin", "fmax"),
    ("min_resolution", "max_resolution"),
    ("min_aspect_ratio", "max_aspect_ratio"),
    ("min_duration_s", "max_duration_s"),
    ("min_text_len", "max_text_len"),
)
