"""The Dagster component that builds everything of a collection from its file."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import dagster as dg
from pydantic import BaseModel

from resources.annotation.declaration import AnnotatorSettings
from vidcap_assets.assets.annotations import annotation_assets
from vidcap_assets.assets.dataset import dataset_assets
from vidcap_assets.assets.merged import merged_asset
from vidcap_assets.assets.videos import video_assets
from vidcap_assets.automation.automatic import automation_of
from vidcap_assets.automation.run_process import follow_the_run
from vidcap_assets.collection.file import CollectionFile, files_in_force, pinned
from vidcap_assets.collection.overrides import overridable
from vidcap_assets.collection.schema import attributes_of_every_kind
from vidcap_assets.collection.settings import CollectionError, CollectionSettings

# What Dagster's loader calls the file of a component.
_FILES = ("defs.yaml", "component.yaml")


class Collection(dg.Component):
    """A collection of videos and images with its annotators, from one file."""

    def __init__(self, settings: CollectionSettings, file: CollectionFile | None = None) -> None:
        self.settings = settings
        self.file = file

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """What the attributes of the file may be, over every kind of annotator that is installed."""
        return attributes_of_every_kind()

    @classmethod
    def load(cls, attributes: BaseModel | None, context: Any) -> Self:
        """Called by Dagster's own loader, in a project of components.

        Goes by the text of the file, not by what Dagster has made of it: so a run is pinned to it, and what is wrong
        is told with its line.

        Raises:
            CollectionError: the file is wrong.
        """
        file = next((one for name in _FILES if (one := Path(context.path) / name).is_file()), None)
        if file is not None:
            return cls.from_file(file)
        assert isinstance(attributes, CollectionSettings)
        for place, sentence in attributes.faults():
            raise CollectionError(f"{'.'.join(map(str, place))}: {sentence}")
        return cls(attributes)

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """The collection of this file, without Dagster's project machinery.

        Raises:
            CollectionError: the file is wrong.
        """
        file = pinned(path.absolute())
        return cls(file.settings, file)

    @classmethod
    def in_force(cls) -> list[Self]:
        """The collections that this process goes by; see :func:`files_in_force`.

        Raises:
            CollectionError: a file is wrong, or there is none where one is named.
        """
        return [cls.from_file(path) for path in files_in_force()]

    def build_defs(self, context: Any = None) -> dg.Definitions:
        """Assets, jobs, resources and what runs by itself."""
        follow_the_run()
        it = self.settings
        assets = [
            *video_assets(it),
            *(annotation_assets(one, it) for one in it.working),
            merged_asset(it),
            *dataset_assets(it),
        ]
        blocks = {
            "source": it.source,
            "lake": it.lake_block,
            "warehouse": it.warehouse_block,
            "decode": it.decode,
            "text": it.text,
            **{one.key: one for one in it.working},
        }
        owned = list(dg.map_asset_specs(lambda spec: spec.replace_attributes(owners=it.owners), assets))
        jobs = self._jobs()
        index, caption, *_, publish = jobs
        return dg.Definitions.merge(
            dg.Definitions(
                jobs=jobs,
                resources={it.label(name): overridable(block) for name, block in blocks.items()},
            ),
            automation_of(it, owned, index=index, caption=caption, publish=publish),
        )

    def _jobs(self) -> list[Any]:
        it = self.settings
        free = [one for one in it.working if not one.paid]
        return [
            self._job(
                "index_videos",
                ["video_index"],
                "Find the clips of the source and put the new ones into shards.",
            ),
            self._job(
                "caption_videos",
                ["raw_meta", *_assets(free), "captioned_videos"],
                "Everything for a shard that costs no money: metadata, captions, camera motion, tags, merge.",
            ),
            *(
                self._job(
                    f"caption_videos_{one.name}",
                    ["raw_meta", *_assets([one, *it.readers(one)]), "captioned_videos"],
                    f"{one.name} for a shard (this costs money), and what reads its answers.",
                )
                for one in it.working
                if one.paid
            ),
            self._job(
                "publish_dataset",
                ["category_distribution", "caption_gallery", "training_set"],
                "The training set, the gallery and the distribution from what has been merged so far.",
            ),
        ]

    def _job(self, name: str, assets: Iterable[str], description: str) -> Any:
        it = self.settings
        return dg.define_asset_job(
            it.label(name),
            selection=dg.AssetSelection.assets(*map(it.key, assets)),
            description=description,
            partitions_def=it.shards if "captioned_videos" in assets else None,
        )


def _assets(annotators: Iterable[AnnotatorSettings]) -> list[str]:
    return [declaration.asset for one in annotators for declaration in one.declares()]
