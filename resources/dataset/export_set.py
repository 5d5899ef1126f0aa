"""What an export may be: forms of the training set, and a set of files for a training tool as an entry of the file."""

from collections.abc import Sequence
from enum import StrEnum

from pydantic import Field

from resources.annotation.block import Block
from resources.annotation.declaration import NAME
from resources.dataset.filters import ClipFilters
from resources.dataset.presets import presets


class Link(StrEnum):
    """How the media files come into the export."""

    SYMLINK, HARDLINK, COPY = "symlink", "hardlink", "copy"


class Captions(StrEnum):
    """Which captions of a clip are exported."""

    TEXT, ALL = "text", "all"


class ExportFormat(StrEnum):
    """What the training set may consist of; the Parquet files with the data card are always there."""

    CSV, STEPS, WEBDATASET = "csv", "steps", "webdataset"


class ExportOptions(ClipFilters):
    """Which clips are exported and in what forms. Bounds are inclusive; what is left out restricts nothing."""

    formats: list[str] = Field(
        default=[str(name) for name in ExportFormat],
        description="Besides Parquet with its data card: csv (training columns), steps (Open-Sora's CSV of "
        "each step, every clip of it whatever the filters), webdataset (tars).",
    )
    rows_per_file: int = Field(default=100_000, gt=0, description="Rows in a Parquet file.")
    samples_per_tar: int = Field(default=10_000, gt=0, description="Clips in a tar.")
    media: bool = Field(default=False, description="Put the videos and images themselves into the tars.")


class ExportSet(Block):
    """The files of one training tool, below ``exports/<name>`` in the home."""

    name: str = Field(pattern=NAME, description="Of the folder, and of the asset export_<name>.")
    preset: str = Field(description="Whose files: sidecar, huggingface, webdataset, diffsynth, …")
    where: str = Field(default="", description="Which clips: a condition in SQL over captioned_videos.")
    head: int | None = Field(default=None, gt=0, description="So many clips at most, after shuffling.")
    shuffle: bool = Field(default=False, description="In an order drawn by seed instead of by id.")
    seed: int = Field(default=0, description="Seed of shuffle.")
    link: Link = Field(
        default=Link.SYMLINK,
        description="How the files come into the export: symlink, hardlink or copy; an object store gets copies.",
    )
    val: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of the clips for validation; one content stays on one side.",
    )
    captions: Captions = Field(
        default=Captions.TEXT, description="The text of a clip alone, or all its captions, the text first."
    )

    def fault(self, above: Sequence[str]) -> str | None:
        """What is wrong with it, beside the sets that are named ``above``."""
        if self.preset not in presets():
            return f"there is no preset {self.preset!r}; there are {', '.join(sorted(presets()))}"
        if self.name in above or self.name == "training_set":
            return f"{self.name!r} is taken: give it another name"
        return None
