"""A set of files for a training tool, as an entry of a collection file."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from resources.annotation.block import Block
from resources.annotation.declaration import NAME

if TYPE_CHECKING:
    from upath import UPath

    from resources.dataset.filters import ClipFilters
    from resources.dataset.preset_export import PresetExport
    from resources.warehouse import Warehouse


class ExportSet(Block):
    """The files of one training tool, below ``exports/<name>`` in the home."""

    name: str = Field(pattern=NAME, description="Of the folder, and of the asset export_<name>.")
    preset: str = Field(description="Whose files: sidecar, huggingface, webdataset, diffsynth, …")
    where: str = Field(default="", description="Which clips: a condition in SQL over captioned_videos.")
    head: int | None = Field(default=None, gt=0, description="So many clips at most.")
    shuffle: bool = Field(default=False, description="In an order drawn by seed instead of by id.")
    seed: int = Field(default=0, description="Seed of shuffle.")
    link: Literal["symlink", "hardlink", "copy"] = Field(
        default="symlink", description="How the files come into the export: symlink, hardlink or copy."
    )
    val: float = Field(default=0.0, ge=0, lt=1, description="Share of the clips for validation.")
    captions: Literal["text", "all"] = Field(
        default="text",
        description="The text of a clip alone, or all its captions, where the tool takes several.",
    )

    def fault(self, above: Sequence[str]) -> str | None:
        """What is wrong with it, beside the entries above."""
        from resources.dataset.presets import presets

        if self.preset not in presets():
            return f"there is no preset {self.preset!r}; there are {', '.join(sorted(presets()))}"
        if self.name in above or self.name == "training_set":
            return f"{self.name!r} is taken: give it another name"
        return None

    def export(
        self,
        warehouse: "Warehouse",
        exports: "UPath",
        filters: "ClipFilters | None" = None,
        demo_models: Sequence[str] = (),
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> "PresetExport":
        """Make the files; see :func:`resources.dataset.preset_export.export_preset`.

        Raises:
            ValueError: there is no such preset, or a filter that cannot mean anything.
        """
        from resources.dataset.filters import ClipFilters
        from resources.dataset.preset_export import Captions, Link, PresetOptions, export_preset
        from resources.dataset.presets import presets

        if sentence := self.fault([]):
            raise ValueError(sentence)
        options = PresetOptions(
            presets()[self.preset],
            self.name,
            filters or ClipFilters(where=self.where),
            self.head,
            self.shuffle,
            self.seed,
            Link(self.link),
            self.val,
            Captions(self.captions),
            tuple(demo_models),
        )
        return export_preset(warehouse, exports, options, progress)
