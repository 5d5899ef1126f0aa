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
from vidcap_assets.automation.executor import noting_its_process
from vidcap_assets.automation.failures import failure_sensor
from vidcap_assets.automation.run_process import follow_the_run
from vidcap_assets.automation.schedules import gap_schedule, publish_schedule
from vidcap_assets.automation.sensors import new_clips_sensor
from vidcap_assets.collection.file import CollectionFile, files_in_force, pinned
from vidcap_assets.collection.overrides import overridable
from vidcap_assets.collection.schema import attributes_of_every_kind
from vidcap_assets.collection.settings import FREE_JOB, CollectionError, CollectionSettings

_FREE = "Everything for a shard that costs no money: metadata, captions, camera motion, tags, merge."
_COSTLY = "{} for a shard (this costs money), and what reads its answers."
# What the queue starts first: other jobs, paid ones among them, wait for these.
_PRIORITIES = {"index_videos": "2", FREE_JOB: "1"}
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
        return dg.Definitions(
            assets=owned,
            jobs=jobs,
            resources={it.label(name): overridable(block) for name, block in blocks.items()},
            sensors=[
                new_clips_sensor(it, index, caption),
                *(failure_sensor(it, command) for command in [it.automation.on_failure] if command),
            ],
            schedules=[
                gap_schedule(it, caption, _of_a_shard(it.caption_jobs[FREE_JOB])),
                publish_schedule(it, publish),
            ],
        )

    def _jobs(self) -> list[Any]:
        """In this order: indexing, the jobs over a shard, publishing."""
        it = self.settings
        published = ["category_distribution", "caption_gallery", "training_set"]
        return [
            self._job(
                "index_videos",
                ["video_index"],
                "Find the clips of the source and put the new ones into shards.",
            ),
            *(
                self._job(
                    name,
                    _of_a_shard(entries),
                    _FREE if name == FREE_JOB else _COSTLY.format(entries[0].name),
                )
                for name, entries in it.caption_jobs.items()
            ),
            self._job(
                "publish_dataset",
                [*published, *(f"export_{one.name}" for one in it.exports)],
                "The training set, the exports, the gallery and the distribution of what has been merged so far.",
            ),
        ]

    def _job(self, name: str, assets: Iterable[str], description: str) -> Any:
        it = self.settings
        return dg.define_asset_job(
            it.label(name),
            selection=dg.AssetSelection.assets(*map(it.key, assets)),
            description=description,
            partitions_def=it.shards if "captioned_videos" in assets else None,
            tags={"dagster/priority": _PRIORITIES.get(name, "0")},
            # One step, whose decoders are processes of their own.
            executor_def=noting_its_process(dg.in_process_executor) if name == "index_videos" else None,
        )


def _of_a_shard(annotators: Iterable[AnnotatorSettings]) -> list[str]:
    """What is made for a shard by these annotators, from its metadata to its rows in the table."""
    answers = (declaration.asset for one in annotators for declaration in one.declares())
    return ["raw_meta", *answers, "captioned_videos"]
