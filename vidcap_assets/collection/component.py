"""The Dagster component that builds everything of a collection from its file."""

import json
import os
from pathlib import Path
from typing import Any, Self

import dagster as dg
from pydantic import BaseModel

from resources.annotation.declaration import AnnotatorSettings, kinds
from vidcap_assets.assets.annotations import annotation_assets
from vidcap_assets.assets.dataset import caption_gallery, category_distribution, training_set
from vidcap_assets.assets.merged import merged_asset
from vidcap_assets.assets.partitions import shards
from vidcap_assets.assets.videos import raw_meta, video_index
from vidcap_assets.collection.blocks import (
    DecodeResource,
    LakeResource,
    SourceResource,
    TextResource,
    WarehouseResource,
)
from vidcap_assets.collection.overrides import overridable, with_defaults
from vidcap_assets.collection.settings import CollectionError, CollectionSettings, found, model, read

# The steps of a run are children of its process: they go by the file as the run read it, whatever is edited meanwhile.
PINNED = "VIDCAP_PINNED"


class Collection(dg.Component):
    """A collection of videos and images with its annotators, from one file."""

    def __init__(self, settings: CollectionSettings) -> None:
        self.settings = settings

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """What the attributes of the file may be, over every kind of annotator that is installed."""
        return model(kinds())

    @classmethod
    def load(cls, attributes: BaseModel | None, context: Any) -> Self:
        """Called by Dagster's own loader, in a project of components."""
        assert isinstance(attributes, CollectionSettings)
        for path, sentence in attributes.faults():
            raise CollectionError(f"{'.'.join(map(str, path))}: {sentence}")
        return cls(attributes)

    @classmethod
    def from_file(cls, file: Path | None = None) -> Self:
        """The collection of this file, or of the one in force; without Dagster's project machinery."""
        file = file or found()
        pinned = json.loads(os.environ.get(PINNED, "{}"))
        if str(file) not in pinned:
            os.environ[PINNED] = json.dumps(pinned | {str(file): file.read_text()})
        return cls(read(json.loads(os.environ[PINNED])[str(file)], str(file)))

    def build_defs(self, context: Any = None) -> dg.Definitions:
        """Assets, jobs and resources."""
        it = self.settings
        annotations = [annotation_assets(one, it) for one in it.annotators]
        return dg.Definitions(
            assets=[
                video_index,
                raw_meta,
                *annotations,
                merged_asset(it),
                category_distribution,
                caption_gallery,
                training_set,
            ],
            jobs=self._jobs(),
            resources={
                "source": with_defaults(SourceResource, uri=it.source.uri, shard_size=it.source.shard_size),
                "lake": with_defaults(LakeResource, root=it.home),
                "warehouse": with_defaults(WarehouseResource, uri=it.warehouse or f"{it.home}/vidcap.duckdb"),
                "decode": DecodeResource(),
                "text": with_defaults(
                    TextResource,
                    order=it.text_order,
                    strip_prefix=it.text.strip_prefix,
                    camera_sentence=it.text.camera_sentence,
                ),
                **{one.key: overridable(one) for one in it.annotators},
            },
        )

    def _jobs(self) -> list[Any]:
        paid = [one for one in self.settings.annotators if one.paid]
        free = [one for one in self.settings.annotators if not one.paid]
        return [
            _job("index_videos", ["video_index"], "Find the clips of the source and put the new ones into new shards.", None),
            _job("caption_videos", ["raw_meta", *_assets(free), "captioned_videos"], "Everything for a shard that costs no money."),
            *(
                _job(f"caption_videos_{one.name}", ["raw_meta", *_assets([one, *self._readers(one, free)]), "captioned_videos"], f"{one.name} and what reads it (this costs money).")
                for one in paid
            ),
            _job("publish_dataset", ["category_distribution", "caption_gallery", "training_set"], "Training set, gallery, distribution.", None),
        ]  # fmt: skip

    def _readers(self, one: AnnotatorSettings, among: list[AnnotatorSettings]) -> list[AnnotatorSettings]:
        said = {declaration.asset for declaration in one.declares()}
        return [
            other
            for other in among
            if any(said & set(self.settings.upstream(declaration)) for declaration in other.declares())
        ]


def _job(name: str, assets: list[str], description: str, partitions_def: Any = shards) -> Any:
    return dg.define_asset_job(
        name,
        selection=dg.AssetSelection.assets(*assets),
        description=description,
        partitions_def=partitions_def,
    )


def _assets(annotators: list[AnnotatorSettings]) -> list[str]:
    return [declaration.asset for one in annotators for declaration in one.declares()]
